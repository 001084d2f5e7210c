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
mod accounts;
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
mod holds;
mod keys;
mod language;
mod policy;
mod put_away;
mod refusal;
mod regions;
mod rejection;
mod saved;
mod served;
mod service;
mod sheet;
mod sheets;
mod state;
pub mod table;
mod times;
mod units;
mod version;

pub use account::{
    AMOUNTS_PAGE, Account, AccountIdentity, AccountKind, Amounts, Hold, Key, KeyRole, Owed, RecordNote, Region,
    Shortage,
};
pub use accounts::{ACCOUNTS_PAGE, Accounts};
pub use alone::check_alone;
pub use apply::{EventOutcome, SheetOutcome, SheetTrial, TriedBefore};
pub use credit::credited_minutes;
pub use decision::{Applied, Change, Dated, Decision, Posting, Warning, WarningCode};
pub use event::{
    AccountOpened, CorrectionReason, Event, EventKind, KeyEnrolled, LedgerCreated, Possession, Predecessor, Served,
    Service, ServiceCorrected, ServiceRecorded,
};
pub use facts::Facts;
pub use holds::Holds;
pub use keys::{KEYS_PAGE, Keys};
pub use language::{Language, Said, Say, Text};
pub use policy::{Policy, Price, Rounding, Tariff};
pub use put_away::{OlderNote, OlderSheet, PutAway, PutAwayCounts};
pub use refusal::Refusal;
pub use regions::Regions;
pub use rejection::{Rejection, StatusCode};
pub use saved::{PagedTable, SavedPages, SavedRest, StillState, Work};
pub use served::{AskedTimes, FoundTimes, OlderTime, ServedTime};
pub use sheet::Sheet;
pub use state::State;
pub use units::{AccountId, AccountNumber, Code, EventRef, KeyId, LogIndex, Millis, Minutes, Offset, SheetId};
pub use version::Version;
