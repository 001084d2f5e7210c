//! The rules' types as they travel, and back: the one place where both are known, besides the reading of events.

use bytes::Bytes;

use super::entry::StoredEntry;
use crate::{
    format::proto,
    ledger::{
        AccountId, AccountKind, CorrectionReason, EventOutcome, EventRef, KeyRole, LogIndex, Policy, Predecessor,
        Price, Rounding, Tariff, WarningCode,
    },
};

/// A predecessor as it travels.
#[must_use]
pub fn predecessor_message(predecessor: &Predecessor) -> proto::Predecessor {
    proto::Predecessor {
        origin: predecessor.origin.clone(),
        size: predecessor.size,
        root: predecessor.root.to_vec().into(),
        ledger_key: predecessor.ledger_key.to_vec().into(),
        signature: predecessor.signature.to_vec().into(),
    }
}

/// A policy as it travels.
#[must_use]
pub fn policy_message(policy: &Policy) -> proto::Policy {
    let (cap_minutes, overflow_pool) =
        policy.cap.map_or((0, Bytes::new()), |(cap, pool)| (cap.get(), pool.0.to_vec().into()));
    let price = |price| match price {
        Price::PerHour(minutes) => proto::tariff::Price::MinutesPerHour(minutes),
        Price::Fixed(minutes) => proto::tariff::Price::FixedMinutes(minutes),
    };
    let tariff = |tariff: &Tariff| proto::Tariff {
        category: tariff.category.as_str().to_owned(),
        price: Some(price(tariff.price)),
    };
    proto::Policy {
        rules: policy.rules,
        rounding_unit_minutes: policy.rounding_unit_minutes,
        roundings: policy.roundings.iter().map(|rounding| i32::from(rounding_message(*rounding))).collect(),
        floor_minutes: policy.floor.get(),
        cap_minutes,
        overflow_pool,
        record_minutes_max: policy.record_max.get(),
        day_minutes_max: policy.day_max.get(),
        age_days_max: policy.age_days_max,
        validity_days_max: policy.validity_days_max,
        tariffs: policy.tariffs.iter().map(tariff).collect(),
    }
}

/// A rounding as it travels.
#[must_use]
pub const fn rounding_message(rounding: Rounding) -> proto::Rounding {
    match rounding {
        Rounding::Exact => proto::Rounding::Unspecified,
        Rounding::Down => proto::Rounding::Down,
        Rounding::Nearest => proto::Rounding::Nearest,
        Rounding::Up => proto::Rounding::Up,
    }
}

/// A warning as it travels.
#[must_use]
pub fn warning_message(code: WarningCode, similar: proto::EventRef) -> proto::Warning {
    proto::Warning { code: code.code().to_owned(), message: code.message().to_string(), similar: Some(similar) }
}

/// An account's id as it travels; empty where there is none.
#[must_use]
pub fn account_bytes(account: Option<AccountId>) -> Bytes {
    account.map_or_else(Bytes::new, |account| Bytes::copy_from_slice(&account.0))
}

/// A reference as it travels.
#[must_use]
pub fn event_ref_message(at: EventRef) -> proto::EventRef {
    let LogIndex(index) = at.index;
    proto::EventRef { index, event: u32::from(at.event) }
}

/// An entry as it travels.
#[must_use]
pub fn entry_message(entry: StoredEntry) -> proto::Entry {
    let sheet = proto::Sheet { header: entry.header, events: entry.events, signatures: entry.signatures };
    proto::Entry { index: entry.index, recorded_at_ms: entry.recorded_at_ms, sheet: Some(sheet) }
}

/// What a tried event would do, as it travels.
#[must_use]
pub fn event_receipt(outcome: &EventOutcome) -> proto::EventReceipt {
    let moved = outcome.postings.iter().filter(|(_, applied)| applied.posting.minutes.get() != 0);
    proto::EventReceipt {
        postings: moved
            .map(|(account, applied)| proto::Posting {
                account: Bytes::copy_from_slice(&account.0),
                minutes: applied.posting.minutes.get(),
                balance_after_minutes: applied.balance_after.get(),
            })
            .collect(),
        warnings: outcome
            .warnings
            .iter()
            .map(|warning| warning_message(warning.code, event_ref_message(warning.similar)))
            .collect(),
    }
}

/// A kind of account as it travels.
#[must_use]
pub const fn kind_message(kind: AccountKind) -> proto::AccountKind {
    match kind {
        AccountKind::Resident => proto::AccountKind::Resident,
        AccountKind::Household => proto::AccountKind::Household,
        AccountKind::Group => proto::AccountKind::Group,
        AccountKind::Station => proto::AccountKind::Station,
        AccountKind::CommunityPool => proto::AccountKind::CommunityPool,
        AccountKind::DistrictPool => proto::AccountKind::DistrictPool,
        AccountKind::Issuance => proto::AccountKind::Issuance,
    }
}

/// A role as it travels.
#[must_use]
pub const fn role_message(role: KeyRole) -> proto::KeyRole {
    match role {
        KeyRole::Operator => proto::KeyRole::Operator,
        KeyRole::Staff => proto::KeyRole::Staff,
        KeyRole::Resident => proto::KeyRole::Resident,
        KeyRole::Service => proto::KeyRole::Service,
    }
}

/// A kind of account that travelled; nothing for what is none.
#[must_use]
pub fn account_kind(value: i32) -> Option<AccountKind> {
    match proto::AccountKind::try_from(value) {
        Ok(proto::AccountKind::Resident) => Some(AccountKind::Resident),
        Ok(proto::AccountKind::Household) => Some(AccountKind::Household),
        Ok(proto::AccountKind::Group) => Some(AccountKind::Group),
        Ok(proto::AccountKind::Station) => Some(AccountKind::Station),
        Ok(proto::AccountKind::CommunityPool) => Some(AccountKind::CommunityPool),
        Ok(proto::AccountKind::DistrictPool) => Some(AccountKind::DistrictPool),
        Ok(proto::AccountKind::Issuance) => Some(AccountKind::Issuance),
        Ok(proto::AccountKind::Unspecified) | Err(_) => None,
    }
}

/// A role that travelled; nothing for what is none.
#[must_use]
pub fn key_role(value: i32) -> Option<KeyRole> {
    match proto::KeyRole::try_from(value) {
        Ok(proto::KeyRole::Operator) => Some(KeyRole::Operator),
        Ok(proto::KeyRole::Staff) => Some(KeyRole::Staff),
        Ok(proto::KeyRole::Resident) => Some(KeyRole::Resident),
        Ok(proto::KeyRole::Service) => Some(KeyRole::Service),
        Ok(proto::KeyRole::Unspecified) | Err(_) => None,
    }
}

/// A reason that travelled; nothing for what is none.
#[must_use]
pub fn correction_reason(value: i32) -> Option<CorrectionReason> {
    match proto::CorrectionReason::try_from(value) {
        Ok(proto::CorrectionReason::EntryError) => Some(CorrectionReason::EntryError),
        Ok(proto::CorrectionReason::Duplicate) => Some(CorrectionReason::Duplicate),
        Ok(proto::CorrectionReason::WrongParty) => Some(CorrectionReason::WrongParty),
        Ok(proto::CorrectionReason::NotServed) => Some(CorrectionReason::NotServed),
        Ok(proto::CorrectionReason::SourceChanged) => Some(CorrectionReason::SourceChanged),
        Ok(proto::CorrectionReason::Unspecified) | Err(_) => None,
    }
}
