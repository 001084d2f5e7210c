//! A log's entries on their way into a replay: read, decoded, and their signatures verified on all cores, while the rules
//! take those before. Starts and audits go through it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError, mpsc},
    thread,
};

use rayon::prelude::*;

use crate::{
    engine::{
        log::StoredEntry,
        projection::Committed,
        replay::{Divergence, Past, Replay, SignatureVerdict, enrolled_keys, keep, resolve_facts, signature_verdicts},
    },
    format::wire::{self, Decoded},
    ledger::{KeyId, Keys, Millis, Refusal, SheetOutcome, Version},
    merkle::Hash,
};

/// Bytes of entries prepared at a time: some 7,000 of the smallest sheets or 150 of 200 events, enough for full batches of
/// signatures on every core, little beside the state.
pub const CHUNK_BYTES: usize = 2 * 1_024 * 1_024;
/// Chunks that wait for the rules: while one is taken, one is ready and one is made.
const CHUNKS_WAITING_MAX: usize = 1;
/// Signatures of a batch: at 256 one costs 10 us, and hardly less beyond.
const BATCH_SHEETS: usize = 256;

/// Public keys by id. A key's id is its hash: what is known once never changes.
#[derive(Debug, Default)]
pub struct KnownKeys {
    /// Those of the state that a replay goes on from.
    before: Keys,
    /// Those that entries have enrolled since.
    enrolled: PublicKeys,
}

type PublicKeys = HashMap<KeyId, [u8; 32]>;

impl KnownKeys {
    /// Those that a state knows.
    #[must_use]
    pub fn of(version: &Version) -> Self {
        Self { before: version.keys().clone(), enrolled: PublicKeys::new() }
    }

    fn get(&self, key_id: KeyId) -> Option<[u8; 32]> {
        self.enrolled.get(&key_id).copied().or_else(|| self.before.public_key(key_id))
    }
}

/// An entry, and its sheet as the rules see it, or why it has none.
#[derive(Debug)]
pub struct Prepared {
    /// Its bytes as they were read, never encoded anew.
    pub entry: StoredEntry,
    /// Decoded, with the verdict on its signatures where its signers are known.
    pub sheet: Result<(Decoded, Option<SignatureVerdict>), Refusal>,
}

/// Decodes and verifies entries on all cores. `keys` learns those that they enrol.
pub fn prepare(entries: Vec<StoredEntry>, keys: &mut KnownKeys) -> Vec<Prepared> {
    let (decoded, enrolled): (Vec<Result<Decoded, Refusal>>, Vec<PublicKeys>) = entries
        .par_iter()
        .map(|entry| {
            let decoded = wire::decode_entry(entry);
            let enrolled = enrolled_keys(&decoded);
            (decoded, enrolled)
        })
        .unzip();
    keys.enrolled.extend(enrolled.into_iter().flatten());
    let sound: Vec<&Decoded> = decoded.iter().flatten().collect();
    let batch = sound.len().div_ceil(rayon::current_num_threads()).clamp(1, BATCH_SHEETS);
    let verdicts: Vec<SignatureVerdict> =
        sound.par_chunks(batch).flat_map_iter(|chunk| signature_verdicts(chunk, |key_id| keys.get(key_id))).collect();
    drop(sound);
    let mut verdicts = verdicts.into_iter();
    entries
        .into_iter()
        .zip(decoded)
        .map(|(entry, decoded)| Prepared {
            entry,
            // As many verdicts as sound sheets; were one missing, the replay would look at the signatures itself.
            sheet: decoded.map(|decoded| (decoded, verdicts.next())),
        })
        .collect()
}

/// An entry that the rules took.
#[derive(Debug)]
pub struct Replayed {
    /// Its bytes as they were read, never encoded anew.
    pub entry: StoredEntry,
    /// As the rules see it.
    pub decoded: Decoded,
    /// What it did.
    pub outcome: SheetOutcome,
}

impl Replayed {
    /// As the projections take it.
    #[must_use]
    pub const fn committed(&self) -> Committed<'_> {
        Committed {
            index: self.entry.index,
            recorded_at_ms: self.entry.recorded_at_ms,
            sheet: &self.decoded.sheet,
            outcome: &self.outcome,
        }
    }
}

/// Why an entry doesn't go into a replay.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError<E> {
    /// Its bytes are no sheet.
    #[error("entry {index} can't be decoded: {refusal}")]
    Undecodable {
        /// Position in the log, as the entry itself has it.
        index: u64,
        /// The first thing that the decoder objects to, and the field where.
        refusal: Refusal,
    },
    /// It doesn't follow from those before it.
    #[error(transparent)]
    Diverged(#[from] Divergence),
    /// What the state doesn't hold could not be read or kept.
    #[error("the past could not be read or kept")]
    Past(E),
}

/// Applies an entry, every rule checked again. `past` is what the state doesn't hold, `stored` gets the tree's new hashes.
///
/// # Errors
/// In the order of [`ReplayError`], except that what `past` says comes second, or last of all.
pub fn replay<P: Past>(
    replay: &mut Replay,
    Prepared { entry, sheet }: Prepared,
    past: &mut P,
    stored: impl FnMut(Hash),
) -> Result<Replayed, ReplayError<P::Error>> {
    let undecodable = |refusal| ReplayError::Undecodable { index: entry.index, refusal };
    let (decoded, verdict) = sheet.map_err(undecodable)?;
    let facts = resolve_facts(&replay.state, &decoded.sheet, past).map_err(ReplayError::Past)?;
    let place = (entry.index, Millis(entry.recorded_at_ms));
    let outcome = replay.replay(place, &decoded, verdict, &facts, stored)?;
    keep(&outcome, past).map_err(ReplayError::Past)?;
    Ok(Replayed { entry, decoded, outcome })
}

/// By how much threads that work off a lot stand back where processors are scarce (`nice`): they have a third of the time of one
/// that doesn't, and all of it where nobody else wants it.
const STAND_BACK: i32 = 5;

/// Lets threads that somebody waits for have the processors before this one.
pub fn stand_back() {
    // Elsewhere it would be said of the whole process. Where it isn't allowed, they have them in turn.
    if cfg!(target_os = "linux") {
        let _niceness = rustix::process::nice(STAND_BACK);
    }
}

/// Starts the threads that entries are prepared on, one a core, before the first of them is needed: later there would be nobody
/// to tell that there are too many threads, or too little memory, on this machine.
///
/// # Errors
/// They can't be started.
pub fn start_threads() -> Result<(), rayon::ThreadPoolBuildError> {
    rayon::ThreadPoolBuilder::new().build_global()
}

/// Reads chunks until one is empty, prepares them on the way, and gives them to `take` in order.
///
/// # Errors
/// Those of `read` and `take`.
pub fn run<E: Send>(
    mut keys: KnownKeys,
    mut read: impl FnMut() -> Result<Vec<StoredEntry>, E> + Send,
    mut take: impl FnMut(Vec<Prepared>) -> Result<(), E>,
) -> Result<(), E> {
    let next = Mutex::new(move || match read() {
        Ok(entries) if entries.is_empty() => None,
        Ok(entries) => Some(Ok(prepare(entries, &mut keys))),
        Err(error) => Some(Err(error)),
    });
    thread::scope(|scope| {
        let (ready, chunks) = mpsc::sync_channel(CHUNKS_WAITING_MAX);
        let next = &next;
        let prepares = move || {
            let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
            while let Some(chunk) = next() {
                let last = chunk.is_err();
                // The taker has stopped: nobody wants more.
                if ready.send(chunk).is_err() || last {
                    return;
                }
            }
        };
        match thread::Builder::new().name("prepare".to_owned()).spawn_scoped(scope, prepares) {
            Ok(_preparing) => chunks.into_iter().try_for_each(|chunk| take(chunk?)),
            Err(error) => {
                tracing::warn!("no thread prepares entries beside the rules, so they take turns: {error}");
                let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
                std::iter::from_fn(&mut *next).try_for_each(|chunk| take(chunk?))
            }
        }
    })
}
