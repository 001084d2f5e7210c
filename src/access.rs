//! What readers are told: events, rows of histories, kinds and states in words, and the heads of tables; in English and in
//! Chinese. Whoever shows them, a terminal or a page, knows the reader's language, names and zone.

/// The words of one language, both beside each other: a kind can't have those of one alone.
macro_rules! words {
    ($language:expr, $en:literal, $zh:literal $(,)?) => {
        match $language {
            $crate::ledger::Language::English => format!($en),
            $crate::ledger::Language::Chinese => format!($zh),
        }
    };
}

pub(crate) use words;

pub mod describe;
pub mod history;
pub mod names;
pub mod when;
