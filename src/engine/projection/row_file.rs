//! Append-only files of fixed-size rows: row n stands at offset n x size. Derived data, so nothing here is synced on the
//! write path; a snapshot syncs first and keeps the counts, and a start cuts what came after.

use std::{
    cell::Cell,
    fs::File,
    marker::PhantomData,
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use crate::engine::{
    machine::{MachineFile, MachinePath},
    store::NotReplaced,
};

/// Rows compared at a time: about a megabyte.
const COMPARED_ROWS: usize = 16_384;

/// Why a projection can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    /// The file system failed.
    #[error("{path}: {source}")]
    Io {
        /// The file, or the folder of the projections.
        path: PathBuf,
        /// From opening, reading, writing or syncing it; `UnexpectedEof` for a row past the end.
        source: std::io::Error,
    },
    /// A sync failed: nobody knows which rows are on the disk. The process has to end; a second sync would report success for
    /// rows that were dropped.
    #[error(
        "{path}: the disk did not take what was written: {source}. Check the disk; the next start finds what is there"
    )]
    SyncFailed {
        /// What was synced: rows, a filter or a snapshot.
        path: PathBuf,
        /// From syncing it.
        source: std::io::Error,
    },
    /// Entries have to come one after another.
    #[error("the projections stand at entry {expected}, not {found}")]
    EntryGap {
        /// Index of the next entry: as many as there are.
        expected: u64,
        /// Index of the entry that was given instead.
        found: u64,
    },
    /// Only of a [`Glance`]: what it would need is not in memory, or it is more than it may read.
    #[error("the rows are not all in memory")]
    NotAtHand,
    /// A row isn't as it was written, or doesn't fit to those that it links to. What is derived comes back from the log.
    #[error("{path}: row {row} is damaged; stop the service, delete this file's folder, and start it again")]
    Corrupt {
        /// The file with the row, in the folder to delete.
        path: PathBuf,
        /// Number of the row.
        row: u64,
    },
}

impl ProjectionError {
    /// Why a file of the projections did not get its name.
    pub(super) fn not_replaced(path: PathBuf, failed: NotReplaced) -> Self {
        match failed {
            NotReplaced::AsBefore(source) | NotReplaced::Unknown(source) => Self::Io { path, source },
            NotReplaced::SyncFailed(source) => Self::SyncFailed { path, source },
        }
    }

    /// What was read, or nothing where it is damaged or cut off. A disk or a machine that can't give it just now says nothing of
    /// what is on it, and stays an error.
    ///
    /// # Errors
    /// All that isn't damage.
    pub(crate) fn damage<T>(read: Result<T, Self>) -> Result<Option<T>, Self> {
        match read {
            Ok(read) => Ok(Some(read)),
            Err(Self::Corrupt { .. } | Self::EntryGap { .. }) => Ok(None),
            Err(Self::Io { source, .. }) if source.kind() == std::io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error @ (Self::Io { .. } | Self::SyncFailed { .. } | Self::NotAtHand)) => Err(error),
        }
    }

    /// What the system said, where it said something.
    pub(crate) const fn of_system(&self) -> Option<&std::io::Error> {
        match self {
            Self::Io { source, .. } | Self::SyncFailed { source, .. } => Some(source),
            Self::EntryGap { .. } | Self::NotAtHand | Self::Corrupt { .. } => None,
        }
    }
}

/// A look that waits for no disk: it may read so many rows, and only what the operating system has in memory.
#[derive(Debug)]
pub struct Glance {
    rows_left: Cell<u32>,
}

impl Glance {
    /// One of at most so many rows.
    #[must_use]
    pub const fn new(rows_max: u32) -> Self {
        Self { rows_left: Cell::new(rows_max) }
    }
}

/// A row of a fixed number of bytes.
pub trait FixedRow: Sized {
    /// An array as long as all fields together.
    type Bytes: AsRef<[u8]> + AsMut<[u8]> + Default;
    /// The fields in their order, with no padding between them.
    fn to_bytes(&self) -> Self::Bytes;
    /// The way back; nothing where the bytes are seen not to be those of a row.
    fn from_bytes(bytes: &Self::Bytes) -> Option<Self>;
}

/// A file of rows. One writer, any number of readers: rows below [`RowFile::len`] never change.
#[derive(Debug)]
pub struct RowFile<R> {
    file: Arc<dyn MachineFile>,
    path: PathBuf,
    length: AtomicU64,
    /// A sync failed: what it was for may be gone, and no later one would say so.
    sync_failed: AtomicBool,
    /// Reads so far: what tests bound.
    #[cfg(test)]
    pub(super) reads: AtomicU64,
    row: PhantomData<fn() -> R>,
}

impl<R: FixedRow> RowFile<R> {
    /// Bytes of a row.
    const fn row_length() -> u64 {
        size_of::<R::Bytes>() as u64
    }

    /// Opens or creates the file; a row that was cut off is cut away.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn open(path: impl Into<MachinePath>) -> Result<Self, ProjectionError> {
        let MachinePath { machine, path } = path.into();
        let io = |source| ProjectionError::Io { path: path.clone(), source };
        let file = machine.open_or_create(&path).map_err(io)?;
        let bytes = file.length().map_err(io)?;
        let length = bytes / Self::row_length();
        if !bytes.is_multiple_of(Self::row_length()) {
            file.set_length(length * Self::row_length()).map_err(io)?;
        }
        Ok(Self::over(file, &path, length))
    }

    /// Opens a file that is only read; none where it isn't there.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn read_only(path: &Path) -> Result<Option<Self>, ProjectionError> {
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        match opened {
            Ok((bytes, file)) => Ok(Some(Self::over(Arc::new(file), path, bytes / Self::row_length()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ProjectionError::Io { path: path.to_owned(), source }),
        }
    }

    /// An empty file that has no name.
    #[must_use]
    pub fn temporary(file: File) -> Self {
        Self::over(Arc::new(file), Path::new("a temporary file"), 0)
    }

    fn over(file: Arc<dyn MachineFile>, path: &Path, length: u64) -> Self {
        Self {
            file,
            path: path.to_owned(),
            length: length.into(),
            sync_failed: AtomicBool::new(false),
            #[cfg(test)]
            reads: AtomicU64::default(),
            row: PhantomData,
        }
    }

    /// The error of a row that is damaged.
    pub(in crate::engine) fn corrupt(&self, row: u64) -> ProjectionError {
        ProjectionError::Corrupt { path: self.path.clone(), row }
    }

    fn io(&self, source: std::io::Error) -> ProjectionError {
        ProjectionError::Io { path: self.path.clone(), source }
    }

    /// How many rows are written, all their bytes; what a failed write left behind them doesn't count.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.length.load(Ordering::Acquire)
    }

    /// Whether there is not one row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts rows at the end, which is at number `first`, in one write. Rows that a failed write left there are replaced.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn append(&self, first: u64, rows: &[R]) -> Result<(), ProjectionError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut bytes = Vec::with_capacity(size_of::<R::Bytes>() * rows.len());
        for row in rows {
            bytes.extend_from_slice(row.to_bytes().as_ref());
        }
        self.file.write_all_at(&bytes, first * Self::row_length()).map_err(|source| self.io(source))?;
        self.length.store(first + rows.len() as u64, Ordering::Release);
        Ok(())
    }

    /// The first row of another file that isn't this one's.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn first_difference(&self, other: &Self) -> Result<Option<u64>, ProjectionError> {
        for first in (0..other.len()).step_by(COMPARED_ROWS) {
            let rows = first..other.len().min(first + COMPARED_ROWS as u64);
            let bytes = |file: &Self| {
                let mut bytes = vec![0; usize::try_from((rows.end - rows.start) * Self::row_length()).unwrap_or(0)];
                let read = file.file.read_exact_at(&mut bytes, rows.start * Self::row_length());
                read.map(|()| bytes).map_err(|source| file.io(source))
            };
            let (own, others) = (bytes(self)?, bytes(other)?);
            if let Some(at) = own.iter().zip(&others).position(|(own, other)| own != other) {
                return Ok(Some(first + at as u64 / Self::row_length()));
            }
        }
        Ok(None)
    }

    /// A row that was read.
    fn row(&self, number: u64, bytes: &R::Bytes) -> Result<R, ProjectionError> {
        R::from_bytes(bytes).ok_or_else(|| self.corrupt(number))
    }

    /// A row.
    ///
    /// # Errors
    /// [`ProjectionError::Io`], also where there is no such row; [`ProjectionError::Corrupt`].
    pub fn read(&self, number: u64) -> Result<R, ProjectionError> {
        #[cfg(test)]
        self.reads.fetch_add(1, Ordering::Relaxed);
        let mut bytes = R::Bytes::default();
        self.file.read_exact_at(bytes.as_mut(), number * Self::row_length()).map_err(|source| self.io(source))?;
        self.row(number, &bytes)
    }

    /// A row, by a glance where there is one.
    ///
    /// # Errors
    /// As [`Self::read`]; [`ProjectionError::NotAtHand`].
    pub fn read_by(&self, glance: Option<&Glance>, number: u64) -> Result<R, ProjectionError> {
        let Some(glance) = glance else { return self.read(number) };
        let left = glance.rows_left.get().checked_sub(1).ok_or(ProjectionError::NotAtHand)?;
        glance.rows_left.set(left);
        let mut bytes = R::Bytes::default();
        let offset = number * Self::row_length();
        let is_at_hand = self.file.read_at_hand(bytes.as_mut(), offset);
        // Also where a file system can't tell: whoever may wait reads the same in the ordinary way, and hears of errors.
        if is_at_hand { self.row(number, &bytes) } else { Err(ProjectionError::NotAtHand) }
    }

    /// Rows that stand side by side, in one read.
    ///
    /// # Errors
    /// [`ProjectionError::Io`], also where there is one of them no more; [`ProjectionError::Corrupt`] of the first that is
    /// damaged.
    pub fn read_range(&self, numbers: Range<u64>) -> Result<Vec<R>, ProjectionError> {
        #[cfg(test)]
        self.reads.fetch_add(1, Ordering::Relaxed);
        let io = |source| self.io(source);
        let count = usize::try_from(numbers.end.saturating_sub(numbers.start));
        let count = count.map_err(std::io::Error::other).map_err(io)?;
        let mut bytes = vec![0; count * size_of::<R::Bytes>()];
        self.file.read_exact_at(&mut bytes, numbers.start * Self::row_length()).map_err(io)?;
        let mut row = R::Bytes::default();
        let rows = bytes.chunks_exact(size_of::<R::Bytes>()).zip(numbers.start..).map(|(chunk, number)| {
            row.as_mut().copy_from_slice(chunk);
            self.row(number, &row)
        });
        rows.collect()
    }

    /// Forgets rows from `length` on.
    ///
    /// # Errors
    /// [`ProjectionError::Io`].
    pub fn truncate(&self, length: u64) -> Result<(), ProjectionError> {
        self.file.set_length(length * Self::row_length()).map_err(|source| self.io(source))?;
        self.length.store(length, Ordering::Release);
        Ok(())
    }

    /// Brings the rows to the disk. Once it failed it always does: whoever else syncs them before the process has ended would
    /// count on rows that are lost.
    ///
    /// # Errors
    /// [`ProjectionError::SyncFailed`].
    pub fn sync(&self) -> Result<(), ProjectionError> {
        let failed = |source| {
            self.sync_failed.store(true, Ordering::Release);
            ProjectionError::SyncFailed { path: self.path.clone(), source }
        };
        if self.sync_failed.load(Ordering::Acquire) {
            return Err(failed(std::io::Error::other("an earlier sync failed")));
        }
        self.file.sync_data().map_err(failed)
    }
}
