//! The rules. `check` decides, [`State::apply_sheet`] records; neither knows a clock, a disk or a network.
//!
//! The server, a restart, an audit and a simulation run this very code: that is what makes an audit a replay.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    clippy::float_arithmetic,
    reason = "an hour is never lost to an overflow, a truncation or a rounding nobody chose"
)]

mod account;
mod alone;
mod apply;
mod authority;
mod booking;
mod check;
mod credit;
mod decision;
mod enrolment;
mod event;
mod facts;
mod foresight;
mod form;
mod language;
mod policy;
mod refusal;
mod rejection;
mod served;
mod service;
mod sheet;
mod state;
mod times;
mod units;

pub use account::{Account, AccountKind, Hold, Key, KeyRole, RecordNote, Region, Shortage};
pub use alone::check_alone;
pub use apply::{EventOutcome, SheetOutcome};
pub use credit::credited_minutes;
pub use decision::{Applied, Change, Dated, Decision, Posting, Warning, WarningCode};
pub use event::{
    AccountOpened, CorrectionReason, Event, EventKind, KeyEnrolled, LedgerCreated, Possession, Predecessor, Served,
    Service, ServiceCorrected, ServiceRecorded,
};
pub use facts::Facts;
pub use language::{Language, Said, Say, Text};
pub use policy::{Policy, Price, Rounding, Tariff};
pub use refusal::Refusal;
pub use rejection::{Rejection, StatusCode};
pub use served::{AskedTimes, OlderTime, ServedTime};
pub use sheet::Sheet;
pub use state::State;
pub use units::{AccountId, AccountNumber, Code, EventRef, KeyId, LogIndex, Millis, Minutes, Offset, SheetId};
