//! What an auditor remembers of a ledger: who it is, the last checkpoint that was verified, and everything up to there, so
//! that the next audit verifies only what is new, and a ledger that takes back what it signed is convicted.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::{
    audit::{Pin, Scratch},
    checkpoint,
    cli::checkpoint::keep_evidence,
    projection::Projection,
    proof::CheckpointPair,
    replay::Replay,
    store::{CheckpointFile, atomic_write},
};

/// The memory of one ledger, in a folder of its own.
#[derive(Debug)]
pub(super) struct Memory {
    folder: PathBuf,
}

/// What was verified before.
pub(super) struct Remembered {
    pub(super) pin: Option<Pin>,
    /// The last checkpoint that was verified.
    pub(super) note: Option<String>,
    /// The auditor's own projections, and what they stand at.
    pub(super) own: Projection,
    pub(super) replay: Replay,
    pub(super) old: Scratch,
}

impl Memory {
    /// The memory of a ledger, in a folder for all of them.
    pub(super) fn new(folder: &Path, origin: &str) -> Self {
        let name = hex::encode(&Sha256::digest(origin.as_bytes())[..8]);
        Self { folder: folder.join(name) }
    }

    /// What is remembered. What doesn't fit together is forgotten, but for pin and checkpoint.
    pub(super) fn open(&self, origin: &str) -> anyhow::Result<Remembered> {
        std::fs::create_dir_all(&self.folder)?;
        let pin_file = self.folder.join("pin");
        let pin = if pin_file.exists() { Some(Pin::read(&pin_file)?) } else { None };
        let note = CheckpointFile::new(self.folder.join("checkpoint")).read()?;
        let projections = self.folder.join("projections");
        // Without a pin there is nothing that the saved state could be of.
        let log_size = if pin.is_some() { u64::MAX } else { 0 };
        let (mut own, mut replay) = Projection::open(&projections, origin, log_size)?;
        let old = match Scratch::open(&self.folder, replay.state.size()) {
            Ok(old) => old,
            Err(_short) => {
                drop(own);
                std::fs::remove_dir_all(&projections)?;
                (own, replay) = Projection::open(&projections, origin, 0)?;
                Scratch::open(&self.folder, 0)?
            }
        };
        Ok(Remembered { pin, note, own, replay, old })
    }

    /// Forgets the saved state, but neither pin nor checkpoint.
    pub(super) fn forget_state(&self, remembered: Remembered, origin: &str) -> anyhow::Result<Remembered> {
        drop(remembered);
        std::fs::remove_dir_all(self.folder.join("projections"))?;
        self.open(origin)
    }

    /// Remembers how far an audit has come.
    pub(super) fn save(&self, own: &Projection, replay: &Replay, old: &mut Scratch, pin: &Pin) -> anyhow::Result<()> {
        old.sync()?;
        own.save(replay)?;
        atomic_write(&self.folder.join("pin"), pin.to_text().as_bytes(), 0o600)?;
        Ok(())
    }

    /// Remembers a checkpoint that was verified.
    pub(super) fn save_checkpoint(&self, note: &str) -> anyhow::Result<()> {
        Ok(CheckpointFile::new(self.folder.join("checkpoint")).write(note)?)
    }

    /// Keeps two checkpoints that can't both be true, and says where.
    pub(super) fn keep_evidence(&self, pair: &CheckpointPair) -> anyhow::Result<PathBuf> {
        keep_evidence(&self.folder, pair)
    }
}

/// Size and root of a checkpoint that this ledger signed.
pub(super) fn signed(note: &str, pin: &Pin) -> Option<(u64, Vec<u8>)> {
    let checkpoint = checkpoint::open(note.as_bytes(), &pin.ledger_key, pin.ledger_key.name()).ok()?;
    Some((checkpoint.size, checkpoint.root))
}
