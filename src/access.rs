//! What readers are told, by whoever tells them: reads as functions of the ledger, and the words for what they answer.
//!
//! [`Reads`] takes and gives the ledger's own types, and knows no transport: gRPC, a page and a program in this process are
//! answered alike. Events, rows of histories, kinds and states are told in English and in Chinese; whoever shows them, a
//! terminal or a page, knows the reader's language, names and zone.

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

mod accounts;
mod balance;
mod cursor;
pub mod describe;
mod digests;
mod entries;
mod failure;
pub mod history;
mod history_pages;
mod holds;
mod identity;
mod keys;
mod lanes;
pub mod names;
mod page;
mod proofs;
mod reader;
mod reads;
mod records;
mod regions;
mod status;
pub mod when;

pub use self::{
    accounts::{Account, AccountsAsked, Found},
    balance::{AsOf, Balance},
    digests::StateDigest,
    failure::ReadError,
    history_pages::{HistoryAsked, HistoryOrder, HistoryRow},
    holds::{Hold, HoldsAsked},
    identity::Identity,
    keys::{Key, KeysAsked},
    lanes::Lane,
    page::{Page, PageSize, Reflected},
    proofs::{ConsistencyProof, EventProof},
    reader::{Permission, Reader},
    reads::{Reads, ReadsParts},
    records::{HistoryDetails, Places, Record},
    regions::Region,
    status::{Checkpoint, Status},
};
