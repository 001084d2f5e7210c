//! Append-only files of fixed-size rows: row n stands at offset n x size. Derived data, so nothing here is synced on the
//! write path; a snapshot syncs first and keeps the counts, and a start cuts what came after.

use std::{
    fs::{File, OpenOptions},
    marker::PhantomData,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// Why a projection can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    /// The file system failed.
    #[error("{path}: {source}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// How.
        source: std::io::Error,
    },
    /// Entries have to come one after another.
    #[error("the projections stand at entry {expected}, not {found}")]
    EntryGap {
        /// Next entry.
        expected: u64,
        /// What came.
        found: u64,
    },
}

/// A row of a fixed number of bytes.
pub trait Row: Sized {
    /// Its bytes, little-endian.
    type Bytes: AsRef<[u8]> + AsMut<[u8]> + Default;
    /// Writes it.
    fn to_bytes(&self) -> Self::Bytes;
    /// Reads it.
    fn from_bytes(bytes: &Self::Bytes) -> Self;
}

/// A file of rows. One writer, any number of readers: rows below [`RowFile::len`] never change.
#[derive(Debug)]
pub struct RowFile<R> {
    file: File,
    path: PathBuf,
    length: AtomicU64,
    row: PhantomData<fn() -> R>,
}

impl<R: Row> RowFile<R> {
    /// Bytes of a row.
    fn row_length() -> u64 {
        R::Bytes::default().as_ref().len() as u64
    }

    /// Opens or creates the file; a row that was cut off is cut away.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn open(path: &Path) -> Result<Self, ProjectionError> {
        let io = |source| ProjectionError::Io { path: path.to_owned(), source };
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len() / Self::row_length();
        Ok(Self { file, path: path.to_owned(), length: length.into(), row: PhantomData })
    }

    fn io(&self, source: std::io::Error) -> ProjectionError {
        ProjectionError::Io { path: self.path.clone(), source }
    }

    /// Rows.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.length.load(Ordering::Acquire)
    }

    /// No rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds rows, in one write.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn append(&self, rows: impl IntoIterator<Item = R>) -> Result<(), ProjectionError> {
        let mut bytes = Vec::new();
        let mut count = 0;
        for row in rows {
            bytes.extend_from_slice(row.to_bytes().as_ref());
            count += 1;
        }
        let length = self.len();
        self.file.write_all_at(&bytes, length * Self::row_length()).map_err(|source| self.io(source))?;
        self.length.store(length + count, Ordering::Release);
        Ok(())
    }

    /// A row.
    ///
    /// # Errors
    /// [`ProjectionError::Io`]; also where there is no such row.
    pub fn read(&self, number: u64) -> Result<R, ProjectionError> {
        let mut bytes = R::Bytes::default();
        self.file.read_exact_at(bytes.as_mut(), number * Self::row_length()).map_err(|source| self.io(source))?;
        Ok(R::from_bytes(&bytes))
    }

    /// Forgets rows from `length` on.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn truncate(&self, length: u64) -> Result<(), ProjectionError> {
        self.file.set_len(length * Self::row_length()).map_err(|source| self.io(source))?;
        self.length.store(length, Ordering::Release);
        Ok(())
    }

    /// Brings the rows to the disk.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn sync(&self) -> Result<(), ProjectionError> {
        self.file.sync_data().map_err(|source| self.io(source))
    }
}

/// Cuts little-endian integers off a row, or puts them on it.
macro_rules! row {
    ($(#[$doc:meta])* $name:ident, $length:literal, { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }

        /// The bytes of a row.
        impl Row for $name {
            type Bytes = RowBytes<$length>;

            fn to_bytes(&self) -> Self::Bytes {
                let mut bytes = RowBytes([0; $length]);
                let mut at = 0;
                $({
                    let field = self.$field.to_le_bytes();
                    bytes.0[at..at + field.len()].copy_from_slice(&field);
                    at += field.len();
                })*
                debug_assert_eq!(at, $length);
                bytes
            }

            fn from_bytes(bytes: &Self::Bytes) -> Self {
                let mut at = 0;
                $(let $field = {
                    let mut field = [0; size_of::<$type>()];
                    field.copy_from_slice(&bytes.0[at..at + size_of::<$type>()]);
                    at += size_of::<$type>();
                    <$type>::from_le_bytes(field)
                };)*
                debug_assert_eq!(at, $length);
                Self { $($field,)* }
            }
        }
    };
}

/// The bytes of a row.
#[derive(Debug, Clone, Copy)]
pub struct RowBytes<const LENGTH: usize>(pub [u8; LENGTH]);

impl<const LENGTH: usize> Default for RowBytes<LENGTH> {
    fn default() -> Self {
        Self([0; LENGTH])
    }
}

impl<const LENGTH: usize> AsRef<[u8]> for RowBytes<LENGTH> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<const LENGTH: usize> AsMut<[u8]> for RowBytes<LENGTH> {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

row! {
    /// One change of one account. It holds all that a page of history shows.
    PostingRow, 72, {
        /// Minutes posted; 0 where only a reservation changed.
        minutes: i64,
        /// Balance after it.
        balance_after: i64,
        /// Reserved after it.
        held_after: i64,
        /// Number of the account's row before, plus 1; 0: none.
        previous: u64,
        /// Number of an earlier row of the account, plus 1; 0: none. See `history::skip`.
        skip: u64,
        /// Log index.
        index: u64,
        /// When the entry was recorded, in ms.
        recorded_at_ms: i64,
        /// Dense number of the account.
        account: u32,
        /// Position among the account's rows, from 0.
        ordinal: u32,
        /// Dense number of the other account; `u32::MAX`: none.
        counterparty: u32,
        /// Number of the event in its sheet.
        event: u16,
        /// What happened, as `proto.EventKind`.
        kind: u8,
        /// Zero.
        reserved: u8,
    }
}

row! {
    /// One entry of the log.
    EntryRow, 32, {
        /// When it was recorded, in ms.
        recorded_at_ms: i64,
        /// Number of its first posting row.
        first_posting: u64,
        /// Number of its first warning row.
        first_warning: u64,
        /// Events of its sheet.
        events: u16,
        /// Zero.
        reserved: u16,
        /// Zero.
        reserved_too: u32,
    }
}

row! {
    /// One warning of one event.
    WarningRow, 16, {
        /// Log index of the similar event.
        similar_index: u64,
        /// Number of the similar event.
        similar_event: u16,
        /// Number of the event in its sheet.
        event: u16,
        /// What.
        code: u8,
        /// Zero.
        reserved: u8,
        /// Zero.
        reserved_too: u16,
    }
}
