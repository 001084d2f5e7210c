//! The log: entries and receipts as they are, and the files of its tree for everybody.

use tokio::sync::watch;

use super::{
    failure::ReadError,
    lanes::beside,
    reader::{Permission, Reader},
    reads::Reads,
};
use crate::{engine::log::StoredEntry, format::proto, merkle::TileFile, trust::mirror};

impl Reads {
    /// An entry as it was received. Reads the log.
    ///
    /// # Errors
    /// [`ReadError::NotPermitted`], [`ReadError::EntryUnknown`], [`ReadError::Failed`].
    pub fn entry(&self, reader: Reader, index: u64) -> Result<StoredEntry, ReadError> {
        reader.check(Permission::Local)?;
        let unknown = ReadError::EntryUnknown { index };
        // What the log has and no reader was shown yet may not be replayed yet.
        if index >= self.shown_size() {
            return Err(unknown);
        }
        self.node.log.entry(index)?.ok_or(unknown)
    }

    /// Entries from an index on: at least one if there is one, and none after `bytes_max` are exceeded. Reads the log.
    ///
    /// # Errors
    /// [`ReadError::NotPermitted`], [`ReadError::Failed`].
    pub fn entries(&self, reader: Reader, from: u64, bytes_max: usize) -> Result<Vec<StoredEntry>, ReadError> {
        reader.check(Permission::Local)?;
        let size = self.shown_size();
        let mut entries = if from < size { self.node.log.entries(from, bytes_max)? } else { Vec::new() };
        entries.retain(|entry| entry.index < size);
        Ok(entries)
    }

    fn shown_size(&self) -> u64 {
        self.node.projection.shown().size()
    }

    /// How many entries there are, and as there come more, for those who follow the log.
    ///
    /// # Errors
    /// [`ReadError::NotPermitted`].
    pub fn size(&self, reader: Reader) -> Result<watch::Receiver<u64>, ReadError> {
        reader.check(Permission::Local)?;
        Ok(self.size.clone())
    }

    /// The receipt of an entry: the one that its sheet was answered with. Reads rows.
    ///
    /// # Errors
    /// [`ReadError::NotPermitted`], [`ReadError::EntryUnknown`], [`ReadError::Failed`].
    pub fn receipt(&self, reader: Reader, index: u64) -> Result<proto::Receipt, ReadError> {
        reader.check(Permission::Local)?;
        self.node.projection.receipt(index)?.ok_or(ReadError::EntryUnknown { index })
    }

    /// A file of the tree under the newest checkpoint, read beside the thread that asks; none where it isn't published.
    ///
    /// # Errors
    /// [`ReadError::ShuttingDown`], [`ReadError::Failed`].
    pub async fn file(&self, reader: Reader, file: TileFile) -> Result<Option<Vec<u8>>, ReadError> {
        reader.check(Permission::Public)?;
        let published = self.published.borrow().size;
        // Told at once: whoever asks too early must not wait behind those who put files together.
        if file.size_min().is_none_or(|needed| needed > published) {
            return Ok(None);
        }
        let (place, node) = (self.lanes.enter_files().await?, self.node.clone());
        beside(place, move || Ok(mirror::content((node.log.as_ref(), &node.tree), published, file)?)).await
    }
}
