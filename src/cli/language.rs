//! The reader's language: which one it is, and whether their terminal can show it.

use std::{io::IsTerminal, sync::OnceLock};

use crate::ledger::{Language, Say};

/// Why English is shown to whoever asked for Chinese.
const NOT_SHOWN: &str =
    "this terminal's locale is not of UTF-8, so English is shown: set LC_ALL=C.UTF-8 or zh_CN.UTF-8 for Chinese";

/// What the command was told, or what the machine says. Set once, before anything is shown.
static LANGUAGE: OnceLock<Language> = OnceLock::new();

/// Takes the language that `--lang` or `TIMEBANK_LANG` names, else that of the machine's locale, else English. JSON is
/// English, for programs compare it. What comes back is to be told whoever asked for one by name that can't be shown.
///
/// # Errors
/// A language is named that isn't spoken here.
pub(crate) fn choose(named: Option<&str>, is_json: bool) -> Result<Option<&'static str>, String> {
    let on_terminal = std::io::stdout().is_terminal() || std::io::stderr().is_terminal();
    let (chosen, told) = chosen(named, |name| std::env::var(name).ok(), on_terminal)?;
    // Set once a process; a second time it would be the same.
    let _set = LANGUAGE.set(if is_json { Language::English } else { chosen });
    Ok(told.filter(|_| !is_json))
}

/// Chinese is not shown on a terminal whose locale isn't of UTF-8, which would show something else.
fn chosen(
    named: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
    on_terminal: bool,
) -> Result<(Language, Option<&'static str>), String> {
    // The first that says something, as POSIX ranks them.
    let locale = |names: [&str; 3]| names.iter().find_map(|name| variable(name).filter(|value| !value.is_empty()));
    let named = named.filter(|name| !name.is_empty());
    let asked = match named {
        Some(name) => Language::of_tag(name)
            .ok_or_else(|| format!("--lang or TIMEBANK_LANG {name}: spoken are en, English, and zh, Chinese"))?,
        None => locale(["LC_ALL", "LC_MESSAGES", "LANG"]).and_then(|name| Language::of_tag(&name)).unwrap_or_default(),
    };
    let is_shown =
        asked == Language::English || !on_terminal || is_utf8(locale(["LC_ALL", "LC_CTYPE", "LANG"]).as_deref());
    if is_shown { Ok((asked, None)) } else { Ok((Language::English, named.map(|_| NOT_SHOWN))) }
}

/// Whether a locale's letters are those of UTF-8; where nothing names one it is that of C.
fn is_utf8(locale: Option<&str>) -> bool {
    // `UTF-8` alone is what macOS calls letters without a language.
    let letters = locale.map_or("", |name| name.split_once('.').map_or(name, |(_, letters)| letters));
    let letters = letters.split('@').next().unwrap_or_default();
    letters.eq_ignore_ascii_case("UTF-8") || letters.eq_ignore_ascii_case("utf8")
}

/// The reader's language.
pub(crate) fn language() -> Language {
    LANGUAGE.get().copied().unwrap_or_default()
}

/// Something in the reader's language.
pub(crate) fn said(what: &impl Say) -> String {
    what.in_language(language()).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;

    #[test]
    fn the_name_comes_before_the_locale_and_both_before_english() {
        use Language::{Chinese, English};
        let check = |named: Option<&str>, variables: &[(&str, &str)], on_terminal, expected| {
            let variable =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            assert_eq!(chosen(named, variable, on_terminal), Ok(expected), "{named:?} {variables:?} {on_terminal}");
        };
        check(None, &[], true, (English, None));
        check(None, &[("LANG", "zh_CN.UTF-8")], true, (Chinese, None));
        check(None, &[("LANG", "zh_CN.UTF-8"), ("LC_MESSAGES", "en_US.UTF-8")], true, (English, None));
        check(None, &[("LANG", "en_US.UTF-8"), ("LC_MESSAGES", "de_DE.UTF-8"), ("LC_ALL", "")], true, (English, None));
        check(None, &[("LC_ALL", "zh_TW.UTF-8"), ("LANG", "en_US.UTF-8")], true, (Chinese, None));
        check(Some("zh-Hans"), &[("LANG", "en_US.UTF-8")], true, (Chinese, None));
        check(Some("en"), &[("LANG", "zh_CN.UTF-8")], true, (English, None));
        check(Some(""), &[("LANG", "zh_CN.UTF-8")], true, (Chinese, None));
        // A terminal that would show something else; a file takes the bytes as they are.
        check(Some("zh"), &[("LC_ALL", "C")], true, (English, Some(NOT_SHOWN)));
        check(Some("zh"), &[], true, (English, Some(NOT_SHOWN)));
        check(Some("zh"), &[("LC_ALL", "C")], false, (Chinese, None));
        check(None, &[("LANG", "zh_CN.GBK")], true, (English, None));
        check(None, &[("LANG", "zh_CN.GBK")], false, (Chinese, None));
        check(Some("zh"), &[("LC_CTYPE", "C.UTF-8")], true, (Chinese, None));
        for wrong in ["fr", "zhong", "中文", "-", "e n", "\u{0}"] {
            let refused = chosen(Some(wrong), |_| None, true).unwrap_err();
            assert!(
                refused.contains(wrong) && refused.ends_with("spoken are en, English, and zh, Chinese"),
                "{refused}"
            );
        }
    }

    #[test]
    fn only_locales_of_utf8_show_all_letters() {
        let check = |locale: Option<&str>, expected: bool| assert_eq!(is_utf8(locale), expected, "{locale:?}");
        for shown in ["zh_CN.UTF-8", "UTF-8", "C.UTF-8", "en_US.utf8", "zh_TW.UTF-8@radical"] {
            check(Some(shown), true);
        }
        for not_shown in ["C", "POSIX", "zh_CN", "zh_CN.GB18030", "zh_CN.GBK", ""] {
            check(Some(not_shown), false);
        }
        check(None, false);
    }
}
