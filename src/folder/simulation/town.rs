//! Who takes part, and what they sign.

use super::naive::{ISSUANCE, Id, Place};
use crate::{
    folder::{GenesisNumbers, genesis_event},
    format::{
        proto::{self, AccountKind, KeyRole, event::Kind},
        signature::PrivateKey,
        wire,
    },
    ledger::{Millis, Policy, SheetId},
};

/// The ledger's name. Nobody could reach it.
pub(super) const ORIGIN: &str = "timebank.invalid/simulation";
const REGION: &str = "town";
const STATION: Id = [2; 16];
/// Residents: few, so that they meet.
const RESIDENTS: u8 = 8;
/// What corrections come to: more than any record begins with, so that nobody has spent what one takes back.
const CORRECTED_MINUTES: i64 = 240;
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The keys of a town.
#[derive(Debug)]
pub(super) struct Town {
    operator: PrivateKey,
    pub(super) ledger: PrivateKey,
    service: PrivateKey,
    staff: PrivateKey,
    sheets: u64,
}

/// Places of what sheets may refer to.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) records: Vec<(Place, proto::Service)>,
    pub(super) holds: Vec<(Place, proto::HoldPlaced)>,
}

fn bytes(id: &[u8]) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(id)
}

fn resident(random: &mut fastrand::Rng) -> Id {
    [0x10 + random.u8(0..RESIDENTS); 16]
}

/// Who may have a balance.
pub(super) fn accounts() -> impl Iterator<Item = Id> {
    [ISSUANCE, STATION].into_iter().chain((0..RESIDENTS).map(|number| [0x10 + number; 16]))
}

impl Town {
    pub(super) fn new() -> Self {
        let key = |seed| PrivateKey::from_seed([seed; 32]);
        Self { operator: key(1), ledger: key(2), service: key(3), staff: key(4), sheets: 0 }
    }

    /// The sheets that a ledger begins with: the genesis, and everybody.
    pub(super) fn beginning(&mut self, now: i64, random: &mut fastrand::Rng) -> [proto::Sheet; 2] {
        let keys = (&self.ledger, &self.service, &self.operator);
        let numbers = GenesisNumbers { issuance_account: ISSUANCE, nonce: [9; 32] };
        let genesis = Kind::LedgerCreated(Box::new(genesis_event(ORIGIN, &Policy::default(), keys, &numbers)));
        let opened = |account: Id, kind: AccountKind, region: &str, station: &[u8]| {
            let (account, kind, region) = (bytes(&account), i32::from(kind), region.to_owned());
            Kind::AccountOpened(proto::AccountOpened { account, kind, region, station: bytes(station) })
        };
        let mut everybody = vec![
            Kind::RegionDefined(proto::RegionDefined { code: REGION.to_owned(), parent: String::new() }),
            opened(STATION, AccountKind::Station, REGION, &[]),
            Kind::FloorSet(proto::FloorSet { account: bytes(&STATION), floor_minutes: -1_000_000 }),
            Kind::KeyEnrolled(proto::KeyEnrolled {
                public_key: bytes(&self.staff.public_key()),
                possession: bytes(&self.staff.prove_possession(ORIGIN)),
                role: i32::from(KeyRole::Staff),
                account: bytes(&STATION),
                own_account: bytes::Bytes::new(),
            }),
        ];
        everybody.extend(accounts().skip(2).map(|id| opened(id, AccountKind::Resident, "", &STATION)));
        let operator = self.operator.clone();
        [vec![genesis], everybody].map(|events| self.sign(&operator, (now, DAY_MS), events, random))
    }

    fn sign(
        &mut self,
        key: &PrivateKey,
        (now, validity): (i64, i64),
        events: Vec<Kind>,
        random: &mut fastrand::Rng,
    ) -> proto::Sheet {
        self.sheets += 1;
        let mut id = [0x60; 16];
        if let Some(number) = id.first_chunk_mut() {
            *number = self.sheets.to_be_bytes();
        }
        Self::sign_as(SheetId(id), key, (now, validity), events, random)
    }

    fn sign_as(
        sheet_id: SheetId,
        key: &PrivateKey,
        (now, validity): (i64, i64),
        events: Vec<Kind>,
        random: &mut fastrand::Rng,
    ) -> proto::Sheet {
        let mut salts = vec![[0; 16]; events.len()];
        random.fill(salts.as_flattened_mut());
        let (issued_at, valid_until) = (Millis(now), Millis(now + validity));
        let draft = wire::Draft { origin: ORIGIN, sheet_id, issued_at, valid_until, events };
        wire::sign_salted(draft, &salts, &[key])
    }

    /// A sheet of somebody's, of one event or several.
    pub(super) fn sheet(&mut self, now: i64, known: &Known, random: &mut fastrand::Rng) -> proto::Sheet {
        let validity = if random.u8(0..4) == 0 { 10 * MINUTE_MS } else { random.i64(1..=30) * DAY_MS };
        if random.u8(0..12) == 0
            && let Some((hold, _)) = random.choice(&known.holds)
        {
            let (hold, service) = (Some(event_ref(*hold)), self.service.clone());
            return self.sign(&service, (now, validity), vec![Kind::HoldExpired(proto::HoldExpired { hold })], random);
        }
        let count = if random.u8(0..5) == 0 { random.usize(2..12) } else { 1 };
        let events = (0..count).map(|_| event(now, known, random)).collect();
        let staff = self.staff.clone();
        self.sign(&staff, (now, validity), events, random)
    }

    /// Whether the station's staff signed a sheet.
    pub(super) fn is_by_staff(&self, header: &proto::SheetHeader) -> bool {
        header.signers.first().is_some_and(|signer| signer.as_ref() == self.staff.key_id().0)
    }

    /// Another sheet under the id of one that was signed before.
    pub(super) fn contradiction(&self, sheet_id: SheetId, now: i64, random: &mut fastrand::Rng) -> proto::Sheet {
        let events = vec![transfer(STATION, resident(random), 1_000)];
        Self::sign_as(sheet_id, &self.staff, (now, DAY_MS), events, random)
    }
}

pub(super) const fn event_ref((index, event): Place) -> proto::EventRef {
    proto::EventRef { index, event }
}

fn transfer(from: Id, to: Id, minutes: i64) -> Kind {
    Kind::MinutesTransferred(proto::MinutesTransferred { from: bytes(&from), to: bytes(&to), minutes })
}

fn service(now: i64, payer: Option<Id>, minutes: i64, random: &mut fastrand::Rng) -> proto::Service {
    let start_ms = now - now.rem_euclid(HOUR_MS) - random.i64(9..24 * 60) * HOUR_MS;
    let interval = proto::Interval { start_ms, end_ms: start_ms + minutes * MINUTE_MS };
    proto::Service {
        volunteer: bytes(&resident(random)),
        station: bytes(&STATION),
        payer: payer.map(|payer| bytes(&payer)).unwrap_or_default(),
        category: "general".to_owned(),
        served: Some(proto::service::Served::Interval(interval)),
        credited_minutes: minutes,
        ..Default::default()
    }
}

/// What a station's staff signs, all of it about what is known.
fn event(now: i64, known: &Known, random: &mut fastrand::Rng) -> Kind {
    let minutes = 15 * random.i64(1..=8);
    let new = |random: &mut fastrand::Rng| {
        let service = Some(service(now, None, minutes, random));
        Kind::ServiceRecorded(proto::ServiceRecorded { service, hold: None })
    };
    match random.u8(0..10) {
        0..3 => transfer(STATION, resident(random), minutes),
        3..6 => new(random),
        6 => {
            let expires_at_ms = now + random.i64(1..48) * HOUR_MS;
            let (payer, station) = (bytes(&resident(random)), bytes(&STATION));
            Kind::HoldPlaced(proto::HoldPlaced { payer, station, minutes: 30, expires_at_ms })
        }
        7 => match random.choice(&known.holds) {
            Some((hold, placed)) if random.bool() => {
                let mut service = service(now, None, placed.minutes, random);
                service.payer = placed.payer.clone();
                let hold = Some(event_ref(*hold));
                Kind::ServiceRecorded(proto::ServiceRecorded { service: Some(service), hold })
            }
            Some((hold, _)) => Kind::HoldReleased(proto::HoldReleased { hold: Some(event_ref(*hold)) }),
            None => new(random),
        },
        8 => match random.choice(&known.records) {
            Some((record, old)) => {
                let mut service = service(now, None, CORRECTED_MINUTES, random);
                service.volunteer = old.volunteer.clone();
                let (record, reason) = (Some(event_ref(*record)), i32::from(proto::CorrectionReason::EntryError));
                Kind::ServiceCorrected(proto::ServiceCorrected { record, reason, service: Some(service) })
            }
            None => new(random),
        },
        _ => match random.choice(&known.records) {
            Some((record, _)) => {
                let (record, reason) = (Some(event_ref(*record)), i32::from(proto::CorrectionReason::Duplicate));
                Kind::ServiceReversed(proto::ServiceReversed { record, reason })
            }
            None => new(random),
        },
    }
}
