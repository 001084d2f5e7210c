//! The ledger of the demo: its own keys, and sheets recorded at moments that are made up.

use std::path::Path;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{OFFSET_SECONDS, ORIGIN_PREFIX, YearError};
use crate::{
    engine::{key_file::KeyFile, past::PastError, pipeline::Prepared, store::StoreError},
    folder::{Building, GenesisNumbers, genesis_event, vkey},
    format::{
        checkpoint,
        proto::{self, event::Kind},
        signature::PrivateKey,
        wire::{self, SALT_BYTES, StoredEntry},
    },
    ledger::{AccountId, EventRef, LogIndex, Millis, Minutes, Policy, SheetId},
    merkle::Hash,
    trust::audit::Pin,
};

/// A moment, in ms since 1970.
pub(super) type Moment = i64;

pub(super) const MINUTE_MS: i64 = 60_000;
pub(super) const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

/// Entries kept by one commit: each is synced, and those of a year take fourteen.
const COMMIT_ENTRIES: usize = 1_000;
/// How long a sheet may be under way: those signed without a network come up to 40 days later; the policy allows 90.
const VALIDITY_MS: i64 = 60 * DAY_MS;

/// First moment of a day, given as days since 1970-01-01.
pub(super) fn midnight(day: i32) -> Moment {
    i64::from(day) * DAY_MS - i64::from(OFFSET_SECONDS) * 1_000
}

/// A ledger that grows as the demo says.
pub(super) struct DemoLedger {
    origin: String,
    building: Building,
    seed: u64,
    waiting: usize,
    ledger_key: PrivateKey,
    service_key: PrivateKey,
    operator_key: PrivateKey,
}

/// What a ledger ended as.
pub(super) struct Ended {
    pub(super) size: u64,
    pub(super) root: Hash,
    pub(super) pin: Pin,
}

/// A key that follows from a seed and a name, as everybody can make it.
fn seeded_key(seed: u64, name: &str) -> PrivateKey {
    let digest = Sha256::new().chain_update(b"timebank demo v1\n").chain_update(seed.to_be_bytes());
    PrivateKey::from_seed(digest.chain_update(name).finalize().into())
}

impl DemoLedger {
    /// A ledger whose genesis was recorded on the morning of a day.
    pub(super) fn new(folder: &Path, seed: u64, day: i32, rng: &mut fastrand::Rng) -> Result<Self, YearError> {
        let origin = format!("{ORIGIN_PREFIX}seed-{seed}");
        let mut ledger = Self {
            building: Building::new(folder, &origin)?,
            seed,
            waiting: 0,
            ledger_key: seeded_key(seed, "ledger"),
            service_key: seeded_key(seed, "service"),
            operator_key: seeded_key(seed, "operator"),
            origin,
        };
        for (name, key) in [
            ("ledger.key", &ledger.ledger_key),
            ("service.key", &ledger.service_key),
            ("operator.key", &ledger.operator_key),
        ] {
            let file = KeyFile { key: key.clone(), origin: ledger.origin.clone() };
            file.create(&folder.join(name)).map_err(YearError::KeyFile)?;
        }
        let numbers = GenesisNumbers { issuance_account: random(rng), nonce: random(rng) };
        let keys = (&ledger.ledger_key, &ledger.service_key, &ledger.operator_key);
        let genesis = genesis_event(&ledger.origin, &Policy::default(), keys, &numbers);
        let now = midnight(day) + 8 * 60 * MINUTE_MS;
        let operator = ledger.operator_key.clone();
        ledger.record(now, now, &operator, vec![Kind::LedgerCreated(Box::new(genesis))], rng)?;
        Ok(ledger)
    }

    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Minutes that an account may spend.
    pub(super) fn available(&self, account: [u8; 16]) -> i64 {
        let state = self.building.state();
        let number = state.account_number(AccountId(account));
        let account = number.and_then(|number| state.account(number));
        account.and_then(|account| account.available()).map_or(0, Minutes::get)
    }

    pub(super) fn operator(&self) -> PrivateKey {
        self.operator_key.clone()
    }

    pub(super) fn service(&self) -> PrivateKey {
        self.service_key.clone()
    }

    /// The key of somebody with this name.
    pub(super) fn key_of(&self, name: &str) -> PrivateKey {
        seeded_key(self.seed, name)
    }

    /// Records a sheet and gives its index.
    pub(super) fn record(
        &mut self,
        now: Moment,
        signed_at: Moment,
        author: &PrivateKey,
        events: Vec<Kind>,
        rng: &mut fastrand::Rng,
    ) -> Result<LogIndex, YearError> {
        let salts: Vec<[u8; SALT_BYTES]> = events.iter().map(|_event| random(rng)).collect();
        let time = u64::try_from(signed_at).unwrap_or_default();
        let id = uuid::Builder::from_unix_timestamp_millis(time, &random(rng)).into_uuid();
        let draft = wire::Draft {
            origin: &self.origin,
            sheet_id: SheetId(id.into_bytes()),
            issued_at: Millis(signed_at),
            valid_until: Millis(signed_at + VALIDITY_MS),
            events,
        };
        let proto::Sheet { header, events, signatures } = wire::sign_salted(draft, &salts, &[author]);
        let index = self.building.state().size();
        let entry = StoredEntry { index, recorded_at_ms: now, header, signatures, events };
        let sheet = wire::decode_entry(&entry).map(|decoded| (decoded, None));
        self.building.push(Prepared { entry, sheet }).map_err(YearError::Refused)?;
        self.waiting += 1;
        if self.waiting == COMMIT_ENTRIES {
            self.building.commit()?;
            self.waiting = 0;
        }
        Ok(LogIndex(index))
    }

    /// Signs the checkpoint over all entries.
    pub(super) fn end(mut self) -> Result<Ended, PastError> {
        self.building.commit()?;
        let (size, root) = (self.building.state().size(), self.building.root());
        let note = checkpoint::sign(&self.origin, size, &root, self.ledger_key.signing_key());
        let ledger_key = vkey(&self.origin, self.ledger_key.public_key());
        let ledger_key =
            ledger_key.map_err(|_unfit| StoreError::Corrupt { at: self.origin, problem: "it names no ledger" })?;
        Ok(Ended { size, root, pin: self.building.finish(&note, ledger_key)? })
    }
}

/// Bytes that follow from the seed.
pub(super) fn random<const LENGTH: usize>(rng: &mut fastrand::Rng) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    rng.fill(&mut bytes);
    bytes
}

/// The place of an event.
pub(super) fn place_of(index: LogIndex, event: usize) -> EventRef {
    EventRef { index, event: u16::try_from(event).unwrap_or(u16::MAX) }
}

/// An id as messages carry it.
pub(super) fn bytes(id: &[u8]) -> Bytes {
    Bytes::copy_from_slice(id)
}
