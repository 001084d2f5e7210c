//! A rule that said no, and where.

use std::{borrow::Cow, fmt};

use super::{
    language::{Language, Say},
    rejection::Rejection,
};

/// A rejection and what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rule that is broken.
    pub rejection: Rejection,
    /// Number of the event; nothing where the whole sheet is meant.
    pub event: Option<u16>,
    /// Path of the field, empty where none is meant.
    pub field: Cow<'static, str>,
}

impl Refusal {
    /// A refusal of a whole sheet.
    #[must_use]
    pub fn sheet(field: impl Into<Cow<'static, str>>, rejection: Rejection) -> Self {
        Self { rejection, event: None, field: field.into() }
    }

    /// A refusal of one event.
    #[must_use]
    pub fn event(event: u16, field: impl Into<Cow<'static, str>>, rejection: Rejection) -> Self {
        Self { rejection, event: Some(event), field: field.into() }
    }
}

impl Say for Refusal {
    /// For people: the sentence, what to do, and the code in brackets. Event and field are for programs.
    fn say(&self, language: Language, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sentence, remedy) = (self.rejection.in_language(language), self.rejection.remedy().get(language));
        match language {
            Language::English => write!(f, "{sentence}. {remedy} [{}]", self.rejection.code()),
            Language::Chinese => write!(f, "{sentence}。{remedy} [{}]", self.rejection.code()),
        }
    }
}

impl fmt::Display for Refusal {
    /// In English.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.say(Language::English, f)
    }
}
