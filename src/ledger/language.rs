//! The two languages in which the ledger speaks to people.

use std::fmt;

use super::units::Minutes;

/// A language that everything is said in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Language {
    /// `en`.
    #[default]
    English,
    /// `zh-CN`: as it is written on the mainland.
    Chinese,
}

impl Language {
    /// Both, the default first.
    pub const ALL: [Self; 2] = [Self::English, Self::Chinese];

    /// The tag of BCP 47.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-CN",
        }
    }

    /// The language that a tag of BCP 47 asks for, by its primary subtag: `en-GB`, `zh`, `zh-Hant-TW`. A locale of POSIX,
    /// as `zh_CN.UTF-8`, counts as well. Nothing for languages that are not there.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_', '.', '@']).next().unwrap_or_default();
        let is = |name: &str| primary.eq_ignore_ascii_case(name);
        if is("en") {
            return Some(Self::English);
        }
        is("zh").then_some(Self::Chinese)
    }

    /// The language that a header `accept-language` of RFC 9110, section 12.5.4, likes best: of equal weights the one that
    /// is named first; `*` is the default. Nothing where it names none that is there; parts that say nothing are skipped.
    #[must_use]
    pub fn accepted(header: &str) -> Option<Self> {
        let mut named: Vec<(Option<Self>, u16)> = Vec::new();
        for part in header.split(',').take(ACCEPTED_MAX) {
            let mut parameters = part.split(';').map(str::trim);
            let tag = parameters.next().unwrap_or_default();
            let language = Self::of_tag(tag);
            if language.is_none() && tag != "*" {
                continue;
            }
            let weight =
                parameters.find_map(|parameter| parameter.strip_prefix(['q', 'Q'])).map_or(Some(1_000), |said| {
                    said.trim_start().strip_prefix('=').and_then(|value| thousandths(value.trim()))
                });
            named.extend(weight.map(|weight| (language, weight)));
        }
        let refused = |language: &Self| named.iter().any(|(named, weight)| *named == Some(*language) && *weight == 0);
        // Whatever isn't refused is as good as another to who takes any.
        let any = Self::ALL.into_iter().find(|language| !refused(language));
        let spoken = named.iter().filter(|(_, weight)| *weight > 0);
        let spoken = spoken.filter_map(|(named, weight)| Some((named.or(any)?, *weight)));
        spoken.reduce(|best, next| if next.1 > best.1 { next } else { best }).map(|(language, _)| language)
    }
}

/// Parts of an `accept-language` that are looked at: browsers send up to a dozen.
const ACCEPTED_MAX: usize = 32;

/// A weight of RFC 9110, 0 to 1 with at most three digits, in thousandths.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    if rest.len() > 3 || !rest.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part: u16 = if rest.is_empty() { 0 } else { format!("{rest:0<3}").parse().ok()? };
    match (whole, part) {
        ("0", part) => Some(part),
        ("1", 0) => Some(1_000),
        (_, _) => None,
    }
}

/// A text in both languages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Text {
    en: &'static str,
    zh: &'static str,
}

impl Text {
    /// A text and its translation.
    #[must_use]
    pub const fn new(en: &'static str, zh: &'static str) -> Self {
        Self { en, zh }
    }

    /// The text in a language.
    #[must_use]
    pub const fn get(self, language: Language) -> &'static str {
        match language {
            Language::English => self.en,
            Language::Chinese => self.zh,
        }
    }
}

impl fmt::Display for Text {
    /// In English.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.en)
    }
}

/// What each language says in its own way.
pub trait Say {
    /// Writes it.
    ///
    /// # Errors
    /// Those of the formatter.
    fn say(&self, language: Language, f: &mut fmt::Formatter<'_>) -> fmt::Result;

    /// The same as something to be shown.
    fn in_language(&self, language: Language) -> Said<'_, Self> {
        Said(self, language)
    }
}

/// Something in a language.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a, T: ?Sized>(&'a T, Language);

impl<T: Say + ?Sized> fmt::Display for Said<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.say(self.1, f)
    }
}

/// Within a Chinese sentence.
pub(super) const fn zh<T: Say>(value: &T) -> Said<'_, T> {
    Said(value, Language::Chinese)
}

impl Say for Text {
    fn say(&self, language: Language, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.get(language))
    }
}

impl Say for Minutes {
    /// `2 h 30 min`, `2 小时 30 分钟`.
    fn say(&self, language: Language, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minutes = self.get();
        let sign = if minutes < 0 { "-" } else { "" };
        let (hours, rest) = (minutes.unsigned_abs().div_euclid(60), minutes.unsigned_abs().rem_euclid(60));
        match (language, hours, rest) {
            (Language::English, 0, rest) => write!(f, "{sign}{rest} min"),
            (Language::English, hours, 0) => write!(f, "{sign}{hours} h"),
            (Language::English, hours, rest) => write!(f, "{sign}{hours} h {rest:02} min"),
            (Language::Chinese, 0, rest) => write!(f, "{sign}{rest} 分钟"),
            (Language::Chinese, hours, 0) => write!(f, "{sign}{hours} 小时"),
            (Language::Chinese, hours, rest) => write!(f, "{sign}{hours} 小时 {rest:02} 分钟"),
        }
    }
}

impl fmt::Display for Minutes {
    /// As people say them: `45 min`, `2 h`, `-2 h 30 min`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.say(Language::English, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_languages_the_one_that_is_liked_best_is_spoken() {
        use Language::{Chinese, English};
        let check =
            |header: &str, expected: Option<Language>| assert_eq!(Language::accepted(header), expected, "{header}");
        check("zh-CN,zh;q=0.9,en;q=0.8", Some(Chinese));
        check("en-GB, zh", Some(English));
        check("en;q=0.5, zh-Hant-TW;q=0.501", Some(Chinese));
        check("fr, de;q=0.9, en;q=0.1", Some(English));
        check("zh;q=0, *", Some(English));
        check("ZH ; Q=1.000", Some(Chinese));
        check("*", Some(English));
        check("en;q=0, *", Some(Chinese));
        check("en;q=0, zh-CN;q=0, *", None);
        for nobody in
            ["", "fr", "zh;q=0", "zh;q=0.000", "zhong", "e", ",,;;q=1,=", "\u{0}", "zh;q=2", "zh;q=0.1234", "zh;q=-1"]
        {
            check(nobody, None);
        }
        // Parts that say nothing take nothing from the others.
        check("zh;q=, en;q=x, ;q=1, zh;q=.5, en;q=0.2", Some(English));
        check(&format!("{}zh", "fr,".repeat(40)), None);
    }

    #[test]
    fn locales_and_tags_name_a_language() {
        let check = |tag: &str, expected: Option<Language>| assert_eq!(Language::of_tag(tag), expected, "{tag}");
        for tag in ["zh", "zh_CN.UTF-8", "zh-Hans-CN", "ZH_TW@radical"] {
            check(tag, Some(Language::Chinese));
        }
        for tag in ["en", "en_US.UTF-8", "EN-gb"] {
            check(tag, Some(Language::English));
        }
        for tag in ["C", "POSIX", "C.UTF-8", "", "de_DE.UTF-8", "english"] {
            check(tag, None);
        }
    }
}
