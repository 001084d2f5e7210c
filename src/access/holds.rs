//! Open holds.

use super::{
    cursor::{List, ListCursor},
    failure::ReadError,
    page::{Page, PageSize, Scan},
    reader::{Permission, Reader},
    reads::{Reads, named},
};
use crate::ledger::{self, AccountId, EventRef, LogIndex, Millis, Minutes};

/// Minutes that are reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hold {
    /// The event that placed it.
    pub at: EventRef,
    /// Who has less to spend until it ends.
    pub payer: Option<AccountId>,
    /// With which station.
    pub station: Option<AccountId>,
    /// At least 1.
    pub minutes: Minutes,
    /// From then on it can't be settled.
    pub expires_at: Millis,
}

/// Which holds a page is asked for. With a cursor, filters are stated again or not at all.
#[derive(Debug, Clone)]
pub struct HoldsAsked {
    /// Only those that this account pays.
    pub payer: Option<AccountId>,
    /// Only those with this station.
    pub station: Option<AccountId>,
    /// Rows wanted.
    pub page_size: PageSize,
    /// [`Page::next`] of the page before; none for the first one.
    pub cursor: Option<String>,
}

/// Holds come and go: a cursor names a place in the log, not a row.
const fn number_of(at: EventRef) -> u64 {
    let LogIndex(index) = at.index;
    (index << 16) | at.event as u64
}

fn place_of(number: u64) -> EventRef {
    EventRef { index: LogIndex(number >> 16), event: u16::try_from(number & 0xffff).unwrap_or(0) }
}

impl Reads {
    /// Open holds in the order in which they were placed. Looks at up to 100,000 of them.
    ///
    /// # Errors
    /// [`ReadError::NotPermitted`], [`ReadError::FieldInvalid`], [`ReadError::AccountUnknown`] of payer or station.
    pub fn holds(&self, reader: Reader, asked: &HoldsAsked) -> Result<Page<Hold>, ReadError> {
        reader.check(Permission::Local)?;
        let seal = self.seal(reader, List::Holds);
        let first_page = ListCursor { account: asked.payer, station: asked.station, ..ListCursor::default() };
        let from = seal.begin(asked.cursor.as_deref(), first_page)?;
        let version = self.version();
        let payer = from.account.map(|id| named(&version, id)).transpose()?;
        let station = from.station.map(|id| named(&version, id)).transpose()?;
        let first = place_of(from.next);
        let rows: Box<dyn Iterator<Item = (EventRef, ledger::Hold)>> = match payer.or(station) {
            Some(account) => Box::new(version.holds().of_account(account, first)),
            None => Box::new(version.holds().from(first)),
        };
        let mut scan = Scan::new(asked.page_size);
        scan.over(rows.map(|(at, hold)| (number_of(at), (at, hold))), |(at, hold)| {
            let wanted =
                payer.is_none_or(|payer| hold.payer == payer) && station.is_none_or(|station| hold.station == station);
            wanted.then(|| Hold {
                at,
                payer: version.accounts().id(hold.payer),
                station: version.accounts().id(hold.station),
                minutes: hold.minutes,
                expires_at: hold.expires_at,
            })
        });
        let next = seal.lead_on(from, scan.next);
        Ok(Page { rows: scan.rows, next, reflected_index: LogIndex(version.reflected_index()) })
    }
}
