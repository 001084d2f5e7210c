//! A state as it is saved: its large tables page by page, and the rest in one piece.

use serde::{Deserialize, Serialize};

use super::{
    account::{AMOUNTS_PAGE, Amounts, Hold, RecordNote, Shortage},
    accounts::{ACCOUNTS_PAGE, Accounts, Row as AccountRow},
    keys::{KEYS_PAGE, Keys, Row as KeyRow},
    policy::Policy,
    put_away::PutAwayCounts,
    regions::Regions,
    sheets::{Sheets, SheetsPages, SheetsRest},
    state::State,
    table::{Blocks, Map, Pages, Rows},
    times::{SavedTimes, ServiceTimes, TimesPages},
    units::{EventRef, LogIndex, Millis},
    version::Version,
};

/// The tables that are saved page by page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PagedTable {
    /// Who accounts are.
    Accounts,
    /// What is on them.
    Amounts,
    /// Who may sign.
    Keys,
    /// Where whose times are.
    TimeOwners,
    /// The times that the rules look at.
    RecentTimes,
    /// Ids of sheets.
    Sheets,
}

/// A state that stays as it is, to be saved while the one that it was taken of goes on.
#[derive(Debug)]
pub struct StillState {
    version: Version,
    amounts: Blocks<Amounts, AMOUNTS_PAGE>,
    times: TimesPages,
    sheets: SheetsPages,
    rest: SavedRest,
}

/// What isn't saved page by page.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedRest {
    origin: String,
    size: u64,
    recorded_at: Millis,
    accounts: u32,
    keys: u32,
    policies: Map<LogIndex, Policy>,
    regions: Regions,
    holds: Map<EventRef, Hold>,
    records: Map<EventRef, RecordNote>,
    times: SavedTimes,
    sheets: SheetsRest,
    notes_put_away: u64,
    shortages: Map<u32, Shortage>,
}

impl StillState {
    /// Entries applied.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.rest.size
    }

    /// Every page of every large table, in the order in which [`SavedPages`] takes them.
    pub fn pages(&self) -> impl Iterator<Item = (PagedTable, Vec<u8>)> {
        let accounts = self.version.accounts.rows().encoded().map(|page| (PagedTable::Accounts, page));
        let amounts = self.amounts.encoded().map(|page| (PagedTable::Amounts, page));
        let keys = self.version.keys.rows().encoded().map(|page| (PagedTable::Keys, page));
        let owners = self.times.owners.encoded().map(|page| (PagedTable::TimeOwners, page));
        let recent = self.times.recent.encoded().map(|page| (PagedTable::RecentTimes, page));
        let sheets = self.sheets.encoded().map(|page| (PagedTable::Sheets, page));
        accounts.chain(amounts).chain(keys).chain(owners).chain(recent).chain(sheets)
    }

    /// Rows put away up to now.
    #[must_use]
    pub const fn put_away(&self) -> PutAwayCounts {
        let (times, sheets) = (self.rest.times.put_away(), self.rest.sheets.put_away());
        PutAwayCounts { times, sheets, notes: self.rest.notes_put_away }
    }

    /// All else.
    #[must_use]
    pub const fn rest(&self) -> &SavedRest {
        &self.rest
    }
}

impl State {
    /// The same state, to be saved: it shares what a copy of the version shares.
    #[must_use]
    pub fn still(&mut self) -> StillState {
        let version = self.version.clone();
        let (pages, times) = self.times.saved();
        let (sheets_pages, sheets) = self.sheets.saved();
        let rest = SavedRest {
            origin: version.origin.to_string(),
            size: version.size,
            recorded_at: version.recorded_at,
            accounts: version.accounts.len(),
            keys: version.keys.len(),
            policies: version.policies.clone(),
            regions: version.regions.clone(),
            holds: version.holds.clone().into(),
            records: version.records.clone(),
            times,
            sheets,
            notes_put_away: self.notes_put_away,
            shortages: self.shortages.clone(),
        };
        let amounts = self.amounts.rows_mut().share();
        StillState { version, amounts, times: pages, sheets: sheets_pages, rest }
    }
}

/// Something to be done, on any thread.
pub type Work<T> = Box<dyn FnOnce() -> T + Send>;

/// The pages of a saved state on their way back.
#[derive(Debug, Default)]
pub struct SavedPages {
    accounts: Pages<AccountRow, ACCOUNTS_PAGE>,
    amounts: Blocks<Amounts, AMOUNTS_PAGE>,
    keys: Pages<KeyRow, KEYS_PAGE>,
    times: TimesPages,
    sheets: SheetsPages,
}

impl SavedPages {
    /// Takes the next page of a table. Nothing where it is none.
    #[must_use]
    pub fn take(&mut self, table: PagedTable, page: &[u8]) -> Option<()> {
        match table {
            PagedTable::Accounts => self.accounts.decode(page),
            PagedTable::Amounts => self.amounts.decode(page),
            PagedTable::Keys => self.keys.decode(page),
            PagedTable::TimeOwners => self.times.owners.decode(page),
            PagedTable::RecentTimes => self.times.recent.decode(page),
            PagedTable::Sheets => self.sheets.decode(page),
        }
    }

    /// The state that they were saved of. Nothing where a page is missing. `both` does both of two things, on as many
    /// processors as there are.
    #[must_use]
    pub fn finish(
        self,
        rest: SavedRest,
        both: impl FnOnce(Work<Accounts>, Work<Keys>) -> (Accounts, Keys),
    ) -> Option<State> {
        let Self { accounts, amounts, keys, times: pages, sheets: sheets_pages } = self;
        let whole = [accounts.len(), amounts.len(), keys.len()] == [rest.accounts, rest.accounts, rest.keys];
        let SavedRest {
            origin,
            size,
            recorded_at,
            policies,
            regions,
            holds,
            records,
            times,
            sheets,
            notes_put_away,
            shortages,
            ..
        } = rest;
        // Finding names again is most of the work, and these two have nothing in common.
        let (accounts, keys) = both(Box::new(|| accounts.into()), Box::new(|| keys.into()));
        let holds = holds.into();
        let origin = origin.into();
        let version = Version { origin, size, recorded_at, policies, accounts, keys, regions, holds, records };
        let times = ServiceTimes::of_saved(pages, times)?;
        let sheets = Sheets::of_saved(sheets_pages, sheets)?;
        whole.then(|| State { version, amounts: amounts.into(), times, sheets, notes_put_away, shortages })
    }
}
