//! Events in words.

use super::{output::hours, zone};
use crate::{
    ledger::{AccountKind, CorrectionReason, Event, KeyRole, Minutes, Predecessor, Served, Service},
    people::calendar::date_of_days,
};

/// What an event says, as the second half of a sentence.
pub(super) fn event(event: &Event) -> String {
    match event {
        Event::LedgerCreated(created) => {
            let carries_on =
                |old: &Predecessor| format!(", which carries on {} after {} entries", old.origin, old.size);
            let carries_on = created.predecessor.as_ref().map_or_else(String::new, carries_on);
            format!("the creation of the ledger {}{carries_on}", created.origin)
        }
        Event::KeyEnrolled(enrolled) => {
            let account = enrolled.account.map_or_else(String::new, |account| format!(" for account {account}"));
            format!("the enrolment of {} key {}{account}", role(enrolled.role), enrolled.key_id)
        }
        Event::KeyRevoked { key_id } => format!("the revocation of key {key_id}"),
        Event::RegionDefined { code, .. } => format!("the region {code}"),
        Event::AccountOpened(opened) => format!("the opening of {} account {}", kind(opened.kind), opened.account),
        Event::FloorSet { account, floor } => format!("a floor of {} for account {account}", amount(*floor)),
        Event::ServiceRecorded(recorded) => {
            let hold = recorded.hold.map_or_else(String::new, |hold| format!(", settling hold {hold}"));
            format!("{}{hold}", service(&recorded.service))
        }
        Event::ServiceCorrected(corrected) => {
            let why = reason(corrected.reason);
            format!("the correction of record {} ({why}) to {}", corrected.record, service(&corrected.service))
        }
        Event::ServiceReversed { record, reason: why } => format!("the reversal of record {record} ({})", reason(*why)),
        Event::MinutesTransferred { from, to, minutes } => {
            format!("{} given by account {from} to account {to}", amount(*minutes))
        }
        Event::HoldPlaced { payer, station, minutes, expires_at } => {
            format!("a hold on {} of account {payer} with station {station} until {}", amount(*minutes), expires_at)
        }
        Event::HoldReleased { hold } => format!("the release of hold {hold}"),
        Event::HoldExpired { hold } => format!("the end of hold {hold}, whose time was over"),
    }
}

fn amount(minutes: Minutes) -> String {
    hours(minutes.get())
}

fn service(service: &Service) -> String {
    let Service { volunteer, station, category, utc_offset_seconds, credited, .. } = service;
    let when = match service.served {
        Served::Interval { start, end } => {
            format!("on {}", zone::interval_at_offset(start.0, end.0, *utc_offset_seconds))
        }
        Served::OnDate { date, minutes } => format!("on {}, {}", date_of_days(date), amount(minutes)),
    };
    let payer = service.payer.map_or_else(String::new, |payer| format!(" out of account {payer}"));
    let activity = service.activity.as_ref().map_or_else(String::new, |activity| format!(" ({activity})"));
    format!(
        "{category}{activity} by account {volunteer} for station {station} {when}, credited with {}{payer}",
        amount(*credited)
    )
}

const fn role(role: KeyRole) -> &'static str {
    match role {
        KeyRole::Operator => "operator",
        KeyRole::Staff => "staff",
        KeyRole::Resident => "resident",
        KeyRole::Service => "service",
    }
}

const fn kind(kind: AccountKind) -> &'static str {
    match kind {
        AccountKind::Resident => "resident",
        AccountKind::Household => "household",
        AccountKind::Group => "group",
        AccountKind::Station => "station",
        AccountKind::CommunityPool => "community pool",
        AccountKind::DistrictPool => "district pool",
        AccountKind::Issuance => "issuance",
    }
}

const fn reason(reason: CorrectionReason) -> &'static str {
    match reason {
        CorrectionReason::EntryError => "typed wrong",
        CorrectionReason::Duplicate => "recorded twice",
        CorrectionReason::WrongParty => "the wrong person or station",
        CorrectionReason::NotServed => "not served",
        CorrectionReason::SourceChanged => "its source changed",
    }
}
