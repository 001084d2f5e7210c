//! The numbers that the rules use. They are part of the log: replay uses those in force at each entry.

use serde::{Deserialize, Serialize};

use super::{
    language::Text,
    units::{AccountId, Code, Minutes},
};

/// How served time becomes whole units of credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Rounding {
    /// Not rounded: the time must come to whole units.
    Exact,
    /// To the unit below.
    Down,
    /// To the nearest unit, halves up.
    Nearest,
    /// To the unit above.
    Up,
}

/// What service of one category is worth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tariff {
    /// As services name it; no category has two tariffs.
    pub category: Code,
    /// Of every service in it, whoever pays.
    pub price: Price,
}

/// By the hour, or the same however long it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Price {
    /// Minutes credited for an hour served, 1 to 600.
    PerHour(u32),
    /// Minutes credited for each record, 1 to 1,440.
    Fixed(u32),
}

/// The numbers that the rules use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Version of the rules: 1.
    pub rules: u32,
    /// Credit comes in multiples of this many minutes: 1, 5, 10, 15, 30 or 60.
    pub rounding_unit_minutes: u32,
    /// Roundings that a record may name, ascending, besides [`Rounding::Exact`].
    pub roundings: Vec<Rounding>,
    /// How far below zero residents, households and groups may go: 0 or negative.
    pub floor: Minutes,
    /// Highest balance of residents and households, and the pool that takes the excess of a credit.
    pub cap: Option<(Minutes, AccountId)>,
    /// Longest service of one record.
    pub record_max: Minutes,
    /// Most minutes served by one person on one day.
    pub day_max: Minutes,
    /// Oldest service that may still be recorded, in days.
    pub age_days_max: u32,
    /// Longest validity of a sheet, in days.
    pub validity_days_max: u32,
    /// What an hour is worth, by category, ascending; a category not named is worth 60 minutes.
    pub tariffs: Vec<Tariff>,
}

impl Default for Policy {
    /// An hour is an hour, to the minute; nobody goes below zero; no cap; 8 hours a record and 16 a day; a year back.
    fn default() -> Self {
        Self {
            rules: 1,
            rounding_unit_minutes: 1,
            roundings: vec![Rounding::Down, Rounding::Nearest, Rounding::Up],
            floor: Minutes::ZERO,
            cap: None,
            record_max: Minutes::new(8 * 60),
            day_max: Minutes::new(16 * 60),
            age_days_max: 366,
            validity_days_max: 90,
            tariffs: Vec::new(),
        }
    }
}

impl Policy {
    /// The price of a category.
    #[must_use]
    pub fn price(&self, category: &Code) -> Price {
        self.tariffs
            .iter()
            .find(|tariff| tariff.category == *category)
            .map_or(Price::PerHour(60), |tariff| tariff.price)
    }

    /// The first field that is out of its range, with what was expected.
    #[must_use]
    pub fn fault(&self) -> Option<(&'static str, Text)> {
        let positive_to = |minutes: Minutes, max: i64| minutes.is_positive() && minutes.get() <= max;
        let price_ok = |tariff: &Tariff| match tariff.price {
            Price::PerHour(minutes) => (1..=600).contains(&minutes),
            Price::Fixed(minutes) => (1..=1_440).contains(&minutes),
        };
        let checks = [
            (self.rules == 1, "rules", Text::new("1, the only version there is", "1，目前只有这个版本")),
            (
                [1, 5, 10, 15, 30, 60].contains(&self.rounding_unit_minutes),
                "rounding_unit_minutes",
                Text::new("1, 5, 10, 15, 30 or 60", "1、5、10、15、30 或 60"),
            ),
            (
                self.roundings.is_sorted_by(|a, b| a < b) && !self.roundings.contains(&Rounding::Exact),
                "roundings",
                Text::new(
                    "DOWN, NEAREST, UP in this order, each at most once",
                    "DOWN、NEAREST、UP，按此顺序，各最多一次",
                ),
            ),
            (
                !self.floor.is_positive() && self.floor.get() >= -1_000_000_000,
                "floor_minutes",
                Text::new("0 or negative, at least -1,000,000,000", "0 或负数，不小于 -1,000,000,000"),
            ),
            (
                self.cap.is_none_or(|(cap, _)| positive_to(cap, 1_000_000_000)),
                "cap_minutes",
                Text::new("0 for no cap, or up to 1,000,000,000", "0 表示没有上限，或不超过 1,000,000,000"),
            ),
            (positive_to(self.record_max, 7 * 1_440), "record_minutes_max", Text::new("1 to 10,080", "1 至 10,080")),
            (positive_to(self.day_max, 1_440), "day_minutes_max", Text::new("1 to 1,440", "1 至 1,440")),
            ((1..=36_600).contains(&self.age_days_max), "age_days_max", Text::new("1 to 36,600", "1 至 36,600")),
            ((1..=366).contains(&self.validity_days_max), "validity_days_max", Text::new("1 to 366", "1 至 366")),
            (
                self.tariffs.is_sorted_by(|a, b| a.category < b.category),
                "tariffs",
                Text::new("ascending by category, each at most once", "按类别升序，各最多一次"),
            ),
            (
                self.tariffs.iter().all(price_ok),
                "tariffs",
                Text::new(
                    "1 to 600 minutes an hour, or 1 to 1,440 fixed",
                    "每小时 1 至 600 分钟，或固定 1 至 1,440 分钟",
                ),
            ),
        ];
        checks.into_iter().find(|(ok, _, _)| !ok).map(|(_, field, expected)| (field, expected))
    }
}
