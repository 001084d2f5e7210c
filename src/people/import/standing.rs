//! What the ledger holds of the records that a source brought: people correct and reverse by hand, too.

use std::collections::HashMap;

use prost::Message;
use sha2::{Digest, Sha256};

use super::{
    items::Item,
    remote::{RECORDS_MAX, Remote},
};
use crate::{
    engine::store::StoreError,
    format::proto::{self, service::Served},
    ledger::EventRef,
    people::{
        calendar::DAY_MS,
        directory::{Directory, RecordLink},
    },
};

/// What became of a record since the import that brought it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ByHand {
    /// It stands as the import left it.
    Nothing,
    /// It was corrected; this is what the ledger has now.
    Corrected([u8; 32], i64),
    /// It was taken back.
    Reversed,
    /// The ledger has no such record: it is an older copy, or another one.
    Missing,
}

/// A record as the ledger has it.
#[derive(Debug, Clone)]
pub(crate) struct Stands {
    pub(crate) by_hand: ByHand,
    /// Whom its newest version credits, and on which date, in days since 1970-01-01.
    pub(crate) volunteer: Vec<u8>,
    pub(crate) date: i64,
    pub(crate) station: Vec<u8>,
}

/// What the directory has of an item's record, if it stands.
fn link(directory: &Directory, record: &str) -> Result<Option<RecordLink>, StoreError> {
    Ok(directory.record(record)?.filter(|link| !link.reversed))
}

/// Asks the ledger what it holds of the records that these items are about.
///
/// # Errors
/// The directory can't be read, or the ledger doesn't answer.
pub(crate) async fn standings<R: Remote>(
    remote: &mut R,
    directory: &Directory,
    items: &[Item],
) -> Result<HashMap<String, Stands>, super::ImportError> {
    let mut links: Vec<(String, RecordLink)> = Vec::new();
    for item in items {
        let known = link(directory, item.record())?;
        links.extend(known.map(|link| (item.record().to_owned(), link)));
    }
    // Those of one entry together: the ledger reads it once.
    links.sort_unstable_by_key(|(_, link)| link.record);
    links.dedup_by(|one, other| one.0 == other.0);
    let mut found = HashMap::with_capacity(links.len());
    for page in links.chunks(RECORDS_MAX) {
        let places: Vec<EventRef> = page.iter().map(|(_, link)| link.record).collect();
        let records = remote.records(&places).await?;
        if records.len() != places.len() {
            let problem = format!("the ledger answered for {} records of {}", records.len(), places.len());
            return Err(super::remote::RemoteError::Failed(problem.into()).into());
        }
        for ((record, link), told) in page.iter().zip(records) {
            found.insert(record.clone(), stands(link, told));
        }
    }
    Ok(found)
}

fn stands(link: &RecordLink, told: proto::Record) -> Stands {
    let service = told.service.unwrap_or_default();
    let digest = digest(&service);
    let by_hand = match (told.record, told.reversed) {
        (None, _) => ByHand::Missing,
        (Some(_), true) => ByHand::Reversed,
        (Some(_), false) if digest == link.digest => ByHand::Nothing,
        (Some(_), false) => ByHand::Corrected(digest, service.credited_minutes),
    };
    let date = date(&service);
    Stands { by_hand, volunteer: service.volunteer.to_vec(), station: service.station.to_vec(), date }
}

/// What a link says of the service that a row became.
pub(crate) fn digest(service: &proto::Service) -> [u8; 32] {
    Sha256::digest(service.encode_to_vec()).into()
}

/// The local date of a service, in days since 1970-01-01.
pub(crate) fn date(service: &proto::Service) -> i64 {
    match service.served {
        Some(Served::OnDate(on)) => i64::from(on.date),
        Some(Served::Interval(interval)) => {
            (interval.start_ms + i64::from(service.utc_offset_seconds) * 1_000).div_euclid(DAY_MS)
        }
        None => 0,
    }
}
