//! How much may wait for the writer, and who has a part of it.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

use super::Source;
use crate::{format::proto, format::wire::Decoded};

/// Bytes of sheets that may wait or be under way: 64 MiB, 120 of the largest sheets or 65,000 of the smallest, a second of
/// work at the rates this is built for. Beyond it callers are told to come again.
const QUEUE_BYTES_MAX: usize = 64 * 1_024 * 1_024;
/// What of it is kept for single sheets where streams and lists have taken the rest. Each source has the reserve that its number
/// falls to, so it takes as many connections as there are of them to leave nothing to another.
const RESERVES: usize = 32;
/// Bytes of a reserve: the largest sheet, 256 KiB, 32 for each of its 1,000 parts, and its events decoded.
const RESERVE_BYTES: usize = 576 * 1_024;
/// Unit of the queue's account: a small sheet counts as much as what is kept beside its bytes.
const UNIT_BYTES: usize = 1_024;
/// What a decoded event counts in the queue, beside its bytes: about its size in memory. The largest trial, 64,000 events,
/// takes a third of what is kept for nobody.
const DECODED_EVENT_BYTES: usize = 256;

/// A part of the queue, given back when it goes.
pub(super) type Part = OwnedSemaphorePermit;

/// What may wait. Copies share it.
#[derive(Clone)]
pub(super) struct Queue {
    shared: Arc<Semaphore>,
    reserves: Arc<[Arc<Semaphore>]>,
}

impl Queue {
    pub(super) fn new() -> Self {
        let semaphore = |bytes| Arc::new(Semaphore::new(bytes / UNIT_BYTES));
        let shared = semaphore(QUEUE_BYTES_MAX - RESERVES * RESERVE_BYTES);
        Self { shared, reserves: (0..RESERVES).map(|_| semaphore(RESERVE_BYTES)).collect() }
    }

    /// A part for one sheet of a source, if there is room.
    pub(super) fn try_one(&self, source: Source, sheet: &proto::Sheet) -> Result<Part, TryAcquireError> {
        let units = units(sheet);
        let part = Arc::clone(&self.shared).try_acquire_many_owned(units);
        part.or_else(|full| {
            let Source(number) = source;
            let reserve = usize::try_from(number).ok().and_then(|number| self.reserves.get(number % RESERVES));
            Arc::clone(reserve.ok_or(full)?).try_acquire_many_owned(units)
        })
    }

    /// A part for one sheet of many, once there is room.
    pub(super) async fn wait(&self, sheet: &proto::Sheet) -> Option<Part> {
        Arc::clone(&self.shared).acquire_many_owned(units(sheet)).await.ok()
    }

    /// A part for sheets that are only tried, if there is room.
    pub(super) fn try_trial(&self, sheets: &[Decoded]) -> Result<Part, TryAcquireError> {
        let events = sheets.iter().map(|decoded| decoded.sheet.events.len()).sum::<usize>();
        let units = u32::try_from(1 + events * DECODED_EVENT_BYTES / UNIT_BYTES).unwrap_or(u32::MAX);
        Arc::clone(&self.shared).try_acquire_many_owned(units)
    }

    /// Bytes that there is room for.
    pub(super) fn room(&self) -> usize {
        self.shared.available_permits() * UNIT_BYTES
    }
}

/// A sheet's share of the queue. Never more than a reserve: a sheet is at most 256 KiB, and has at most 1,000 events.
fn units(sheet: &proto::Sheet) -> u32 {
    let parts = sheet.events.iter().chain(&sheet.signatures);
    let bytes = sheet.header.len() + parts.map(|part| part.len() + 32).sum::<usize>();
    let bytes = bytes + sheet.events.len() * DECODED_EVENT_BYTES;
    u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use super::*;
    use crate::format::wire::{EVENTS_MAX, SHEET_BYTES_MAX};

    /// The largest there is.
    fn largest() -> proto::Sheet {
        let event = vec![0; SHEET_BYTES_MAX / EVENTS_MAX].into();
        proto::Sheet { events: vec![event; EVENTS_MAX], signatures: vec![vec![0; 64].into(); 8], ..Default::default() }
    }

    #[tokio::test]
    async fn what_streams_have_taken_leaves_each_source_room_for_one_of_the_largest() {
        let queue = Queue::new();
        let sheet = largest();
        let mut streams = Vec::new();
        while queue.room() / UNIT_BYTES >= units(&sheet) as usize {
            streams.push(queue.wait(&sheet).await.unwrap());
        }
        assert!(streams.len() > 80, "{}", streams.len());
        let mut parts = Vec::new();
        for number in 0..RESERVES as u64 {
            parts.push(queue.try_one(Source(number), &sheet).unwrap());
            assert!(queue.try_one(Source(number), &sheet).is_err(), "a second one of {number}");
        }
        drop(parts.pop());
        drop(queue.try_one(Source(RESERVES as u64 - 1), &sheet).unwrap());
        drop(streams.pop());
        drop(queue.try_one(Source(0), &sheet).unwrap());
    }
}
