//! A district that never was, and a year of it: for whoever wants to look before they have a ledger of their own, and for
//! pictures, tests and measurements.
//!
//! The same seed and last day make the same entries, to the byte. Every key follows from the seed, so anybody can sign in
//! anybody's name: nothing in it is to be taken for real, and its origin says so.

mod agenda;
mod district;
mod ledger;
mod year;

use std::path::PathBuf;

use jiff::civil::Date;

use self::{district::District, ledger::DemoLedger};
use crate::{
    engine::{
        key_file::{KeyFile, KeyFileError},
        past::PastError,
        pipeline::ReplayError,
        progress::Progress,
        store::StoreError,
    },
    folder::{PlaceError, in_place},
    merkle::Hash,
    people::directory::{Directory, Link},
    trust::audit::Pin,
};

/// What its origin begins with. `.invalid` is reserved for names that are none (RFC 2606).
pub const ORIGIN_PREFIX: &str = "demo.timebank.invalid/";

/// Its local time is that of China, which has no summer time, in seconds east of UTC.
pub const OFFSET_SECONDS: i32 = 8 * 3_600;

/// Days of the year.
pub const DAYS: u32 = 365;

/// Name of the source that the names of its people come from.
const SOURCE: &str = "demo";

/// What to make.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// The data folder to make: not there yet, or empty.
    pub folder: PathBuf,
    /// What all choices follow from.
    pub seed: u64,
    /// Last day of the year.
    pub last_day: Date,
}

/// How much of everything happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Stations, of the district, its streets and their communities.
    pub stations: u64,
    /// Residents with an account, whether they serve or not.
    pub people: u64,
    /// Residents who served at least once.
    pub volunteers: u64,
    /// Households with an account of their own.
    pub households: u64,
    /// Sheets recorded, the genesis counted.
    pub sheets: u64,
    /// Services recorded, those taken back later included.
    pub records: u64,
    /// Of these, two days late or more.
    pub late: u64,
    /// Events that correct a record.
    pub corrections: u64,
    /// Events that take a record back.
    pub reversals: u64,
    /// Hours that were booked for a service to come, whatever became of them.
    pub bookings: u64,
    /// Bookings that were served.
    pub settled: u64,
    /// Bookings that were cancelled.
    pub released: u64,
    /// Bookings that ran out.
    pub expired: u64,
    /// Gifts between people, and to pools.
    pub gifts: u64,
    /// Minutes credited, corrections and reversals counted.
    pub credited_minutes: i64,
    /// Minutes that a payer other than issuance gave for them.
    pub redeemed_minutes: i64,
}

/// What was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// The ledger's name, which says that it is a demo.
    pub origin: String,
    /// Entries of the log, the genesis counted.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
    /// What auditors pin.
    pub pin: Pin,
    /// How much of everything there is.
    pub counts: Counts,
    /// Code of the station that serves most people; its staff's key file is called so too.
    pub station: String,
    /// Number of the resident there who has a key and most to spend.
    pub resident: String,
}

/// Why nothing was made. Where the folder was to be, nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// There can be no such folder.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// A key file can't be written.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The log or its projections can't be kept.
    #[error(transparent)]
    Past(#[from] PastError),
    /// The links can't be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Whoever asked for it wants it no more.
    #[error("interrupted; nothing was made")]
    Interrupted,
    /// The year isn't one that a ledger can hold.
    #[error("the year up to {last_day} can't be made: it has to begin on 1970-01-02 or later")]
    YearOutOfRange {
        /// Its last day.
        last_day: Date,
    },
    /// The ledger refused what the demo did.
    #[error("seed {seed}, last day {last_day}: {problem}. This is a fault of the demo: please report it")]
    Refused {
        /// What makes the same year come out again, with the last day.
        seed: u64,
        /// The last day.
        last_day: Date,
        /// What it refused.
        problem: String,
    },
}

/// Makes a data folder with a year of a district in it. `progress` is told the days so far, and may end it.
///
/// # Errors
/// The year, then the folder, then the disk.
pub fn make(options: &DemoOptions, progress: &dyn Progress) -> Result<Made, DemoError> {
    let last_day = options.last_day;
    let days = (last_day - jiff::civil::date(1970, 1, 1)).get_days();
    let first_day = days - i32::try_from(DAYS).unwrap_or(i32::MAX) + 1;
    if first_day < 1 {
        return Err(DemoError::YearOutOfRange { last_day });
    }
    in_place(&options.folder, |folder| {
        let mut rng = fastrand::Rng::with_seed(options.seed);
        let mut ledger =
            DemoLedger::new(folder, options.seed, first_day, &mut rng).map_err(|error| told(options, error))?;
        let mut district = District::found(&ledger, &mut rng);
        let counts = year::live(&mut ledger, &mut district, rng, (first_day, DAYS), progress)
            .map_err(|error| told(options, error))?;
        let origin = ledger.origin().to_owned();
        let keys = folder.join("keys");
        std::fs::create_dir(&keys).map_err(PlaceError::at(&keys))?;
        for (name, key) in district.keys() {
            KeyFile { key: key.clone(), origin: origin.clone() }.create(&keys.join(format!("{name}.key")))?;
        }
        let (station, resident) = district.shown(&ledger);
        let ended = ledger.end()?;
        name(folder, &ended.pin.genesis_leaf_hash, &district)?;
        let counts = Counts { sheets: ended.size, ..counts };
        Ok(Made { origin, size: ended.size, root: ended.root, pin: ended.pin, counts, station, resident })
    })
}

/// Keeps what people and stations are called, where the names of imports are.
fn name(folder: &std::path::Path, genesis: &Hash, district: &District) -> Result<(), StoreError> {
    let directory = Directory::open(&folder.join("directory"), genesis, SOURCE)?;
    let links = district.names().map(|(outside, account)| Link::Account { outside, account }).collect();
    let pending = directory.put_pending(Vec::new(), links)?;
    directory.finish(&pending, 0)
}

fn told(options: &DemoOptions, error: YearError) -> DemoError {
    match error {
        YearError::Refused(ReplayError::Past(error)) | YearError::Past(error) => error.into(),
        YearError::KeyFile(error) => error.into(),
        YearError::Interrupted => DemoError::Interrupted,
        YearError::Refused(error) => {
            let (seed, last_day) = (options.seed, options.last_day);
            DemoError::Refused { seed, last_day, problem: error.to_string() }
        }
    }
}

/// Why the year ended early.
#[derive(Debug)]
enum YearError {
    Refused(ReplayError<PastError>),
    Past(PastError),
    KeyFile(KeyFileError),
    Interrupted,
}

impl From<PastError> for YearError {
    fn from(error: PastError) -> Self {
        Self::Past(error)
    }
}
