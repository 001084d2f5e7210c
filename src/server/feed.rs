//! The log as subscribers read it: whoever comes to the same place next is given what was read already.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::OnceCell;

use super::{
    limits::{READ_BYTES, READS_SHARED_MAX},
    read::READER,
};
use crate::{
    access::{Lane, ReadError, Reads},
    format::wire::StoredEntry,
};

/// Whoever is this close to the log's end follows it.
const NEAR_ENTRIES: u64 = 1_024;

/// Entries from one index on, once somebody has read them.
type Place = Arc<OnceCell<Arc<Vec<StoredEntry>>>>;

/// Reads for all subscribers of a service. Copies share them.
#[derive(Debug, Clone)]
pub(super) struct Feed {
    reads: Reads,
    newest: Arc<Mutex<VecDeque<(u64, Place)>>>,
}

impl Feed {
    pub(super) fn new(reads: Reads) -> Self {
        Self { reads, newest: Arc::default() }
    }

    /// Entries from an index on, as many as are read at a time, of a log of so many. After a commit all who follow the log ask
    /// for the same at once: one of them reads it.
    pub(super) async fn read(&self, index: u64, size: u64) -> Result<Vec<StoredEntry>, ReadError> {
        let reads = self.reads.clone();
        let read = async move || reads.beside(Lane::Rows, move |reads| reads.entries(READER, index, READ_BYTES)).await;
        // Whoever is far behind is alone there.
        if size.saturating_sub(index) > NEAR_ENTRIES {
            return read().await;
        }
        let place = self.place(index);
        let shared = place.get_or_try_init(async || read().await.map(Arc::new)).await?;
        Ok(Vec::clone(shared))
    }

    fn place(&self, index: u64) -> Place {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        // What was there to be read may not have been shown yet; that is no answer for those who come later.
        newest.retain(|(_, place)| place.get().is_none_or(|entries| !entries.is_empty()));
        if let Some((_, place)) = newest.iter().find(|(first, _)| *first == index) {
            return Arc::clone(place);
        }
        let place = Place::default();
        if newest.len() == READS_SHARED_MAX {
            newest.pop_front();
        }
        newest.push_back((index, Arc::clone(&place)));
        place
    }
}
