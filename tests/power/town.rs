//! A ledger with one station, whose operator gives minutes to one person.

use std::path::Path;

use timebank::{
    engine::key_file::KeyFile,
    format::{
        proto::{self, event::Kind},
        signature::{self, PrivateKey},
        wire,
    },
    ledger::{Millis, SheetId},
};

/// How long a sheet may be sent again.
const VALIDITY_MS: i64 = 86_400_000;

#[derive(Debug)]
pub struct Town {
    origin: String,
    operator: PrivateKey,
    station: [u8; 16],
    person: [u8; 16],
}

fn bytes(array: &[u8]) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(array)
}

impl Town {
    /// One that isn't founded yet, in the ledger of a data folder.
    pub fn new(folder: &Path) -> Self {
        let KeyFile { key: operator, origin } = KeyFile::read(&folder.join("operator.key")).unwrap();
        Self { origin, operator, station: signature::random(), person: signature::random() }
    }

    fn sheet(&self, events: Vec<Kind>) -> proto::Sheet {
        let now = jiff::Timestamp::now().as_millisecond();
        let draft = wire::Draft {
            origin: &self.origin,
            sheet_id: SheetId(uuid::Uuid::now_v7().into_bytes()),
            issued_at: Millis(now),
            valid_until: Millis(now + VALIDITY_MS),
            events,
        };
        wire::sign(draft, &[&self.operator]).unwrap()
    }

    /// A region, in which nothing is yet.
    pub fn region(&self) -> proto::Sheet {
        self.sheet(vec![region(&self.station)])
    }

    /// What has to be recorded before anything else.
    pub fn founding(&self) -> proto::Sheet {
        let opened = |account: &[u8; 16], kind: proto::AccountKind, region: String, station: &[u8]| {
            let (account, kind) = (bytes(account), i32::from(kind));
            Kind::AccountOpened(proto::AccountOpened { account, kind, region, station: bytes(station) })
        };
        let floor = proto::FloorSet { account: bytes(&self.station), floor_minutes: -1_000_000_000 };
        self.sheet(vec![
            region(&self.station),
            opened(&self.station, proto::AccountKind::Station, code(&self.station), &[]),
            Kind::FloorSet(floor),
            opened(&self.person, proto::AccountKind::Resident, String::new(), &self.station),
        ])
    }

    /// A minute, given so many times.
    pub fn minutes(&self, times: usize) -> proto::Sheet {
        let (from, to) = (bytes(&self.station), bytes(&self.person));
        let given = Kind::MinutesTransferred(proto::MinutesTransferred { from, to, minutes: 1 });
        self.sheet(vec![given; times])
    }
}

/// A region's code that no other town has.
fn code(station: &[u8; 16]) -> String {
    format!("r-{}", hex::encode(&station[..8]))
}

fn region(station: &[u8; 16]) -> Kind {
    Kind::RegionDefined(proto::RegionDefined { code: code(station), parent: String::new() })
}
