//! What random sheets have met, and how often they must have.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use timebank::{
    format::proto::{self, event::Kind},
    ledger::Rejection,
};

use crate::{
    ROUNDS, SHEETS,
    naive::{Naive, id},
    rules::Header,
};

type Counts = BTreeMap<&'static str, u64>;

/// Kinds of events; how often each must be accepted, and be what a sheet is refused for, in so many rounds.
const KINDS: [(&str, u64, u64); 13] = [
    ("ledger created", 10, 50),
    ("key enrolled", 100, 20),
    ("key revoked", 30, 10),
    ("region defined", 50, 15),
    ("account opened", 150, 25),
    ("floor set", 30, 10),
    ("service recorded", 600, 100),
    ("service corrected", 500, 60),
    ("service reversed", 200, 30),
    ("minutes transferred", 300, 100),
    ("hold placed", 200, 70),
    ("hold released", 100, 30),
    ("hold expired", 40, 40),
];

/// What is easy to get wrong, and how often it must happen.
const SEEN: [(&str, u64); 44] = [
    // At least a quarter of all is possible.
    ("sheet accepted", ROUNDS * SHEETS / 4),
    ("started again", 30),
    ("saved while sheets came", 200),
    ("record put away is named", 5),
    ("id put away is used again", 3),
    ("sheet of several events", 500),
    ("sheet of two roles", 200),
    ("sheet of the service key", 8),
    ("refused after a good event", 300),
    ("reference within the sheet", 40),
    ("settled whole", 4),
    ("settled in part", 15),
    ("imported", 50),
    ("rounded", 200),
    ("priced", 70),
    ("over local midnight", 20),
    ("served by a group", 100),
    ("served by a household", 100),
    ("gift below zero", 90),
    ("gift over the cap", 15),
    ("credit over the cap", 30),
    ("corrected again", 180),
    ("corrected volunteer", 70),
    ("corrected payer", 8),
    ("corrected station", 15),
    ("corrected time", 200),
    ("corrected category", 20),
    ("corrected up", 100),
    ("corrected down", 100),
    ("corrected beyond the cap", 15),
    ("shortage", 70),
    ("shortage of a pool", 1),
    ("corrected once more into a shortage", 3),
    ("given back to the station", 10),
    ("given back to the station in part", 1),
    ("reversed after a correction", 80),
    ("reversed beyond the cap", 5),
    ("reversed while the station is owed", 20),
    ("region in a region", 30),
    ("hold of a pool", 5),
    ("key of an operator revoked", 5),
    ("own key revoked", 1),
    ("expired by the service key", 10),
    ("settled for a payer who signed nothing", 10),
];

/// Codes of what the bytes alone show, of what no ledger reaches, and of a limit of 10,000 regions: `tests/rejections.rs`
/// has them.
const ELSEWHERE: [&str; 15] = [
    "SheetTooLarge",
    "LengthOutOfRange",
    "EventCountOutOfRange",
    "EncodingInvalid",
    "EncodingNotCanonical",
    "SignatureCountMismatch",
    "EventCountMismatch",
    "EventsRootMismatch",
    "SaltRepeated",
    "PublicKeyInvalid",
    "PossessionInvalid",
    "OriginMismatch",
    "SignatureInvalid",
    "TooManyRegions",
    "BalanceOutOfRange",
];

#[derive(Default)]
pub(crate) struct Coverage {
    accepted: Counts,
    refused: Counts,
    codes: Counts,
    seen: Counts,
}

const fn name(kind: &Kind) -> &'static str {
    match kind {
        Kind::LedgerCreated(_) => "ledger created",
        Kind::KeyEnrolled(_) => "key enrolled",
        Kind::KeyRevoked(_) => "key revoked",
        Kind::RegionDefined(_) => "region defined",
        Kind::AccountOpened(_) => "account opened",
        Kind::FloorSet(_) => "floor set",
        Kind::ServiceRecorded(_) => "service recorded",
        Kind::ServiceCorrected(_) => "service corrected",
        Kind::ServiceReversed(_) => "service reversed",
        Kind::MinutesTransferred(_) => "minutes transferred",
        Kind::HoldPlaced(_) => "hold placed",
        Kind::HoldReleased(_) => "hold released",
        Kind::HoldExpired(_) => "hold expired",
    }
}

/// What an event refers to.
const fn named(kind: &Kind) -> Option<proto::EventRef> {
    match kind {
        Kind::ServiceRecorded(recorded) => recorded.hold,
        Kind::ServiceCorrected(corrected) => corrected.record,
        Kind::ServiceReversed(reversed) => reversed.record,
        Kind::HoldReleased(released) => released.hold,
        Kind::HoldExpired(expired) => expired.hold,
        Kind::LedgerCreated(_)
        | Kind::KeyEnrolled(_)
        | Kind::KeyRevoked(_)
        | Kind::RegionDefined(_)
        | Kind::AccountOpened(_)
        | Kind::FloorSet(_)
        | Kind::MinutesTransferred(_)
        | Kind::HoldPlaced(_) => None,
    }
}

fn more(counts: &mut Counts, what: &'static str, by: u64) {
    *counts.entry(what).or_default() += by;
}

/// What an accepted event shows besides its kind.
fn sight(model: &Naive, header: &Header, kind: &Kind) -> Option<&'static str> {
    match kind {
        Kind::RegionDefined(region) if !region.parent.is_empty() => Some("region in a region"),
        Kind::HoldPlaced(placed) => model.accounts[&id(&placed.payer)].station.is_none().then_some("hold of a pool"),
        Kind::KeyRevoked(revoked) if header.signers.contains(&id(&revoked.key_id)) => Some("own key revoked"),
        Kind::KeyRevoked(revoked) if model.keys[&id(&revoked.key_id)].role == proto::KeyRole::Operator => {
            Some("key of an operator revoked")
        }
        Kind::ServiceRecorded(recorded) => {
            let payer = id(recorded.service.as_ref().filter(|_| recorded.hold.is_some())?.payer.as_ref());
            let signed = header.signers.iter().any(|signer| model.keys[signer].account == Some(payer));
            (!signed).then_some("settled for a payer who signed nothing")
        }
        Kind::LedgerCreated(_)
        | Kind::KeyEnrolled(_)
        | Kind::KeyRevoked(_)
        | Kind::RegionDefined(_)
        | Kind::AccountOpened(_)
        | Kind::FloorSet(_)
        | Kind::ServiceCorrected(_)
        | Kind::ServiceReversed(_)
        | Kind::MinutesTransferred(_)
        | Kind::HoldReleased(_)
        | Kind::HoldExpired(_) => None,
    }
}

impl Coverage {
    /// A sheet that was accepted, or refused with a code for an event or as a whole.
    pub(crate) fn count(
        &mut self,
        model: &Naive,
        header: &Header,
        kinds: &[Kind],
        code: Option<&'static str>,
        event: Option<u32>,
    ) {
        let roles: BTreeSet<i32> =
            header.signers.iter().filter_map(|signer| model.keys.get(signer)).map(|key| i32::from(key.role)).collect();
        if let Some(code) = code {
            more(&mut self.codes, code, 1);
            // Entry 0 is refused as a whole, whatever it holds.
            let event = if model.accounts.is_empty() { Some(0) } else { event };
            if let Some(event) = event {
                more(&mut self.refused, name(&kinds[event as usize]), 1);
            }
            more(&mut self.seen, "refused after a good event", u64::from(event.is_some_and(|event| event > 0)));
            return;
        }
        more(&mut self.seen, "sheet accepted", 1);
        more(&mut self.seen, "sheet of several events", u64::from(kinds.len() > 1));
        more(&mut self.seen, "sheet of two roles", u64::from(roles.len() > 1));
        let service_alone = roles.iter().eq([&i32::from(proto::KeyRole::Service)]);
        more(&mut self.seen, "sheet of the service key", u64::from(service_alone));
        for kind in kinds {
            more(&mut self.accepted, name(kind), 1);
            more(&mut self.seen, "reference within the sheet", u64::from(named(kind).is_some_and(|at| at.index == 0)));
            more(&mut self.seen, "expired by the service key", u64::from(service_alone));
            if let Some(what) = sight(model, header, kind) {
                more(&mut self.seen, what, 1);
            }
        }
    }

    pub(crate) fn add_seen(&mut self, model: &Naive) {
        for (what, count) in &model.seen {
            more(&mut self.seen, what, *count);
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        let mut add = |to: fn(&mut Self) -> &mut Counts, from: &Counts| {
            for (what, count) in from {
                more(to(self), what, *count);
            }
        };
        add(|all| &mut all.accepted, &other.accepted);
        add(|all| &mut all.refused, &other.refused);
        add(|all| &mut all.codes, &other.codes);
        add(|all| &mut all.seen, &other.seen);
    }

    /// Holds the counts against what so many rounds must reach; a few rounds on a seed of their own may meet anything.
    /// Something happened that isn't seen from a sheet.
    pub(crate) fn saw(&mut self, what: &'static str) {
        more(&mut self.seen, what, 1);
    }

    pub(crate) fn check(&self, rounds: u64) {
        if rounds < ROUNDS {
            return;
        }
        let reached = |counts: &Counts, what: &str, least: u64| {
            let found = counts.get(what).copied().unwrap_or(0);
            assert!(found * ROUNDS >= least * rounds, "{what}: {found} in {rounds} rounds, not {least} in {ROUNDS}");
        };
        for (kind, accepted, refused) in KINDS {
            reached(&self.accepted, kind, accepted);
            reached(&self.refused, kind, refused);
        }
        for (what, least) in SEEN {
            reached(&self.seen, what, least);
        }
        for code in Rejection::CODES.iter().filter(|code| !ELSEWHERE.contains(code)) {
            reached(&self.codes, code, 1);
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "accepted {:#?}\nrefused {:#?}", self.accepted, self.refused)?;
        writeln!(f, "codes {:#?}\nseen {:#?}", self.codes, self.seen)
    }
}
