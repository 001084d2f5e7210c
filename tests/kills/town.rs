//! A ledger with one station, which gives a minute to one person again and again.

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

use super::server::Client;

/// How long a sheet may be sent again: longer than any campaign lasts.
const VALIDITY_MS: i64 = 86_400_000;

pub struct Town {
    origin: String,
    staff: PrivateKey,
    station: [u8; 16],
    person: [u8; 16],
}

fn bytes(array: &[u8]) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(array)
}

impl Town {
    /// Founds it in the ledger of a data folder.
    pub async fn found(client: &mut Client, folder: &Path) -> Self {
        let operator = KeyFile::read(&folder.join("operator.key")).unwrap();
        let town = Self {
            origin: operator.origin,
            staff: PrivateKey::generate(),
            station: signature::random(),
            person: signature::random(),
        };
        let opened = |account: &[u8; 16], kind: proto::AccountKind, region: &str, station: &[u8]| {
            let (account, kind, region) = (bytes(account), i32::from(kind), region.to_owned());
            Kind::AccountOpened(proto::AccountOpened { account, kind, region, station: bytes(station) })
        };
        let events = vec![
            Kind::RegionDefined(proto::RegionDefined { code: "kills".to_owned(), parent: String::new() }),
            opened(&town.station, proto::AccountKind::Station, "kills", &[]),
            Kind::FloorSet(proto::FloorSet { account: bytes(&town.station), floor_minutes: -1_000_000_000 }),
            opened(&town.person, proto::AccountKind::Resident, "", &town.station),
            Kind::KeyEnrolled(proto::KeyEnrolled {
                public_key: bytes(&town.staff.public_key()),
                possession: bytes(&town.staff.prove_possession(&town.origin)),
                role: i32::from(proto::KeyRole::Staff),
                account: bytes(&town.station),
                own_account: bytes::Bytes::new(),
            }),
        ];
        let sheet = town.sheet(&operator.key, events);
        client.submit(proto::SubmitRequest { sheet: Some(sheet), until: 0 }).await.unwrap();
        town
    }

    fn sheet(&self, key: &PrivateKey, events: Vec<Kind>) -> proto::Sheet {
        let now = jiff::Timestamp::now().as_millisecond();
        let draft = wire::Draft {
            origin: &self.origin,
            sheet_id: SheetId(uuid::Uuid::now_v7().into_bytes()),
            issued_at: Millis(now),
            valid_until: Millis(now + VALIDITY_MS),
            events,
        };
        wire::sign(draft, &[key]).unwrap()
    }

    pub fn minute(&self) -> proto::Sheet {
        let (from, to) = (bytes(&self.station), bytes(&self.person));
        let given = Kind::MinutesTransferred(proto::MinutesTransferred { from, to, minutes: 1 });
        self.sheet(&self.staff, vec![given])
    }

    /// What the person has: a minute for each sheet.
    pub async fn balance(&self, client: &mut Client) -> i64 {
        let request = proto::GetBalanceRequest { account: bytes(&self.person), min_index: 0, as_of: None };
        client.get_balance(request).await.unwrap().into_inner().balance_minutes
    }
}
