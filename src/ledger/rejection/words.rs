//! What the sentences of rejections are put together from.

use std::fmt;

use crate::ledger::{
    event::Served,
    language::{Language, Say},
    units::{AtOffset, Date, EventRef, LogIndex, Millis, Offset},
};

/// A record, hold or event by its place; within the same sheet it has none yet.
pub(super) struct Place {
    what: What,
    at: EventRef,
}

#[derive(Clone, Copy)]
enum What {
    Event,
    Record,
    Hold,
}

impl Place {
    pub(super) const fn event(at: EventRef) -> Self {
        Self { what: What::Event, at }
    }

    pub(super) const fn record(at: EventRef) -> Self {
        Self { what: What::Record, at }
    }

    pub(super) const fn hold(at: EventRef) -> Self {
        Self { what: What::Hold, at }
    }
}

impl Say for Place {
    fn say(&self, language: Language, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, at } = self;
        let (en, zh) = match what {
            What::Event => ("event", "事件"),
            What::Record => ("record", "记录"),
            What::Hold => ("hold", "预约"),
        };
        match (language, what, at.index) {
            (Language::English, What::Event, LogIndex(0)) => write!(f, "event {} of this same sheet", at.event),
            (Language::English, What::Record | What::Hold, LogIndex(0)) => {
                write!(f, "the {en} in event {} of this same sheet", at.event)
            }
            (Language::English, _, _) => write!(f, "{en} {at}"),
            (Language::Chinese, What::Event, LogIndex(0)) => write!(f, "本登记单的第 {} 号事件", at.event),
            (Language::Chinese, What::Record | What::Hold, LogIndex(0)) => {
                write!(f, "本登记单第 {} 号事件的{zh}", at.event)
            }
            (Language::Chinese, _, _) => write!(f, "{zh} {at} "),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.say(Language::English, f)
    }
}

/// When a service was, at its own offset.
pub(super) struct When<'a>(pub(super) &'a Served, pub(super) i32);

impl Say for When<'_> {
    fn say(&self, language: Language, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (language, *self.0) {
            (Language::English, Served::Interval { end, .. }) => write!(f, "until {}", AtOffset(end, self.1)),
            (Language::English, Served::OnDate { date, .. }) => write!(f, "on {}", Date(i64::from(date))),
            (Language::Chinese, Served::Interval { end, .. }) => write!(f, "到 {} 为止", AtOffset(end, self.1)),
            (Language::Chinese, Served::OnDate { date, .. }) => write!(f, "在 {}", Date(i64::from(date))),
        }
    }
}

impl fmt::Display for When<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.say(Language::English, f)
    }
}

/// Why a service isn't over.
pub(super) struct NotYet<'a> {
    pub(super) served: &'a Served,
    pub(super) utc_offset_seconds: i32,
    pub(super) now: Millis,
}

impl Say for NotYet<'_> {
    fn say(&self, language: Language, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (now, offset) = (AtOffset(self.now, self.utc_offset_seconds), self.utc_offset_seconds);
        match (language, *self.served) {
            (Language::English, Served::Interval { end, .. }) => {
                write!(f, "the service ends at {}, and now it is {now}", AtOffset(end, offset))
            }
            (Language::English, Served::OnDate { date, .. }) => {
                write!(f, "{} has not begun at {}: now it is {now}", Date(i64::from(date)), Offset(offset))
            }
            (Language::Chinese, Served::Interval { end, .. }) => {
                write!(f, "服务到 {} 才结束，而现在是 {now}", AtOffset(end, offset))
            }
            (Language::Chinese, Served::OnDate { date, .. }) => {
                write!(f, "在 {} 时区，{} 这天还没有开始：现在是 {now}", Offset(offset), Date(i64::from(date)))
            }
        }
    }
}

impl fmt::Display for NotYet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.say(Language::English, f)
    }
}

/// What credit is counted in.
pub(super) struct Unit(pub(super) u32);

impl Say for Unit {
    fn say(&self, language: Language, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (language, self.0) {
            (Language::English, 1) => f.write_str("minutes"),
            (Language::English, minutes) => write!(f, "units of {minutes} min"),
            (Language::Chinese, minutes) => write!(f, " {minutes} 分钟"),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.say(Language::English, f)
    }
}
