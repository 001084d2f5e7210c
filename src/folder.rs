//! The data folder: its layout, the keys in it, and how it is made, opened, checked and restored.

pub mod bench;
mod build;
pub mod defaults;
pub mod demo;
mod fsck;
mod open;
mod restore;
pub mod simulation;

pub use self::{
    build::PlaceError,
    fsck::{Findings, FsckError, Part, Problem, fsck},
    open::{Creation, Ledger, OpenError, OpenOptions, open},
    restore::{RestoreError, RestoreOptions, Restored, restore},
};
pub(crate) use self::{
    build::{Building, in_place},
    open::{GenesisNumbers, genesis_event, vkey},
};
pub use crate::access::Identity;
