//! The reader's language: which one it is, and whether their terminal can show it.

use std::{io::IsTerminal, sync::OnceLock};

use crate::ledger::{Language, Say};

/// Why English is shown to whoever asked for Chinese.
const NOT_SHOWN: &str =
    "this terminal's locale is not of UTF-8, so English is shown: set LC_ALL=C.UTF-8 or zh_CN.UTF-8 for Chinese";

/// What the command was told, or what the machine says. Set once, before anything is shown.
static LANGUAGE: OnceLock<Language> = OnceLock::new();

/// Takes the language that `--lang` or `TIMEBANK_LANG` names, else that of the machine's locale, else English. Chinese is not
/// shown on a terminal whose locale isn't of UTF-8, which would show something else. What comes back is to be told whoever
/// asked for it by name.
///
/// # Errors
/// A language is named that isn't spoken here.
pub(crate) fn choose(named: Option<&str>) -> Result<Option<&'static str>, String> {
    let named = named.filter(|name| !name.is_empty());
    let asked = match named {
        Some(name) => Language::of_tag(name)
            .ok_or_else(|| format!("--lang or TIMEBANK_LANG {name}: spoken are en, English, and zh, Chinese"))?,
        None => locale(&["LC_ALL", "LC_MESSAGES", "LANG"]).and_then(|name| Language::of_tag(&name)).unwrap_or_default(),
    };
    let on_terminal = std::io::stdout().is_terminal() || std::io::stderr().is_terminal();
    let shown =
        asked == Language::English || !on_terminal || is_utf8(locale(&["LC_ALL", "LC_CTYPE", "LANG"]).as_deref());
    // Set once a process; a second time it would be the same.
    let _set = LANGUAGE.set(if shown { asked } else { Language::English });
    Ok(named.filter(|_| !shown).map(|_| NOT_SHOWN))
}

/// The first of these variables that says something, as POSIX ranks them.
fn locale(variables: &[&str]) -> Option<String> {
    let value = |name: &&str| std::env::var(name).ok().filter(|value| !value.is_empty());
    variables.iter().find_map(value)
}

/// Whether a locale's letters are those of UTF-8; where nothing names one it is that of C.
fn is_utf8(locale: Option<&str>) -> bool {
    let letters = locale.and_then(|name| name.split_once('.')).map_or("", |(_, letters)| letters);
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
    use super::*;

    #[test]
    fn only_locales_of_utf8_show_all_letters() {
        let check = |locale: Option<&str>, expected: bool| assert_eq!(is_utf8(locale), expected, "{locale:?}");
        for shown in ["zh_CN.UTF-8", "C.UTF-8", "en_US.utf8", "zh_TW.UTF-8@radical"] {
            check(Some(shown), true);
        }
        for not_shown in ["C", "POSIX", "zh_CN", "zh_CN.GB18030", "zh_CN.GBK", "UTF-8", ""] {
            check(Some(not_shown), false);
        }
        check(None, false);
    }
}
