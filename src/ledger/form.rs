//! What the fields of one event allow each other: told at the door, where bytes become events, so that no rule meets an
//! event without form.

use super::{
    account::{AccountKind, KeyRole},
    check::MINUTES_MAX,
    event::{AccountOpened, Event, KeyEnrolled, LedgerCreated},
    language::Text,
    units::Minutes,
};

/// A field, and what was expected of it.
type Fault = Option<(&'static str, Text)>;

impl Event {
    /// The first field that can't have its value, whatever the ledger holds. `origin`: of the sheet's header.
    #[must_use]
    pub fn fault(&self, origin: &str) -> Fault {
        if let Self::LedgerCreated(created) = self {
            return fault_of_genesis(created, origin);
        }
        if let Self::KeyEnrolled(enrolled) = self {
            return fault_of_enrolment(enrolled);
        }
        if let Self::AccountOpened(opened) = self {
            return fault_of_account(opened);
        }
        if let Self::FloorSet { floor, .. } = self {
            return fault_of_floor(*floor);
        }
        None
    }
}

fn fault_of_genesis(created: &LedgerCreated, origin: &str) -> Fault {
    if created.origin != origin {
        return Some(("origin", Text::new("the origin of the header", "表头里的账本标识")));
    }
    if let Some(fault) = created.policy.fault() {
        return Some(fault);
    }
    let operators = created.operator_keys.iter().map(|key| key.1);
    let mut distinct: Vec<_> = operators.chain([created.service_key.1, created.ledger_key]).collect();
    distinct.sort_unstable();
    let repeated = distinct.windows(2).any(|pair| pair.first() == pair.last());
    let differ = Text::new(
        "keys that all differ, the ledger and service key among them",
        "互不相同的密钥，包括账本密钥和服务密钥",
    );
    repeated.then_some(("operator_keys", differ))
}

fn fault_of_enrolment(enrolled: &KeyEnrolled) -> Fault {
    if enrolled.role == KeyRole::Service {
        return Some(("role", Text::new("OPERATOR, STAFF or RESIDENT", "OPERATOR、STAFF 或 RESIDENT")));
    }
    let needs_account = matches!(enrolled.role, KeyRole::Staff | KeyRole::Resident);
    if needs_account != enrolled.account.is_some() {
        let expected = Text::new(
            "the station of staff, the account of a resident, nothing for an operator",
            "工作人员写服务站，居民写账户，管理员不写",
        );
        return Some(("account", expected));
    }
    let own_allowed = enrolled.own_account.is_none() || enrolled.role != KeyRole::Resident;
    let expected = Text::new("nothing for a resident: `account` is theirs", "居民不写：`account` 就是本人的");
    (!own_allowed).then_some(("own_account", expected))
}

fn fault_of_account(opened: &AccountOpened) -> Fault {
    if opened.kind == AccountKind::Issuance {
        return Some(("kind", Text::new("any kind but ISSUANCE", "ISSUANCE 以外的类别")));
    }
    let serves = opened.kind.serves();
    if opened.region.is_some() == serves {
        let expected = Text::new("a region for stations and pools, none for others", "服务站和公共池写区域，其他不写");
        return Some(("region", expected));
    }
    let expected = Text::new(
        "a station for residents, households and groups, none for others",
        "居民、家庭和团体写服务站，其他不写",
    );
    (opened.station.is_some() != serves).then_some(("station", expected))
}

fn fault_of_floor(floor: Minutes) -> Fault {
    let in_range = !floor.is_positive() && floor >= MINUTES_MAX.negated();
    let expected = Text::new("0 or negative, at least -1,000,000,000", "0 或负数，不小于 -1,000,000,000");
    (!in_range).then_some(("floor_minutes", expected))
}
