//! Accounts: one, those of a kind or a station, and those whose ids begin with what somebody typed.

use super::{
    cursor::{List, ListCursor},
    failure::ReadError,
    page::{LIST_SCANNED_MAX, Page, PageSize, Reflected, Scan},
    reader::{Permission, Reader},
    reads::{Reads, named},
};
use crate::{
    engine::projection::Shown,
    ledger::{AccountId, AccountKind, AccountNumber, Code, LogIndex, Minutes, Version},
};

/// Digits of an id that accounts are found by: 6 tell 16 million apart, 32 are the whole id.
const FIND_DIGITS_MIN: usize = 6;
const FIND_DIGITS_MAX: usize = 32;
/// Accounts that are found at most: whoever is shown as many types another digit.
const FOUND_MAX: usize = 10;

/// An account and what is on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its public name.
    pub id: AccountId,
    /// Fixed when it is opened.
    pub kind: AccountKind,
    /// Of stations and pools: where they are.
    pub region: Option<Code>,
    /// Of residents, households and groups: who serves them.
    pub station: Option<AccountId>,
    /// Sum of its postings.
    pub balance: Minutes,
    /// Reserved by open holds.
    pub held: Minutes,
    /// What can be spent; nothing for issuance, which has no limit.
    pub available: Option<Minutes>,
    /// How far below zero it may go; issuance has none.
    pub floor: Option<Minutes>,
}

/// Which accounts a page is asked for. With a cursor, filters are stated again or not at all.
#[derive(Debug, Clone)]
pub struct AccountsAsked {
    /// Only of this kind.
    pub kind: Option<AccountKind>,
    /// Only those whom this station serves.
    pub station: Option<AccountId>,
    /// Rows wanted.
    pub page_size: PageSize,
    /// [`Page::next`] of the page before; none for the first one.
    pub cursor: Option<String>,
}

/// Accounts whose ids begin alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// At most 10, in the order in which they were opened.
    pub accounts: Vec<Account>,
    /// Whether there are more than these.
    pub more: bool,
}

/// An account as of the look that tells what is on it.
fn told(shown: &Shown, number: AccountNumber) -> Option<Account> {
    let account = shown.account(number)?;
    let region = account.region.and_then(|region| shown.region(region));
    Some(Account {
        id: account.id,
        kind: account.kind,
        region: region.map(|region| region.code.clone()),
        station: account.station.and_then(|station| shown.accounts().id(station)),
        balance: account.balance,
        held: account.held,
        available: account.available(),
        floor: account.floor,
    })
}

/// Whether an id begins with these lowercase hex digits.
fn begins_with(id: AccountId, digits: &str) -> bool {
    let digit = |byte: u8| if byte.is_ascii_digit() { byte - b'0' } else { byte - b'a' + 10 };
    let halves = id.0.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.bytes().map(digit).eq(halves.take(digits.len()))
}

/// The accounts that a list looks for: what they are picked by never changes after they are opened.
struct Picked {
    kind: Option<AccountKind>,
    station: Option<AccountNumber>,
    size: PageSize,
}

impl Picked {
    /// Goes on with a page over a version's accounts from a number on.
    fn scan(&self, scan: &mut Scan<AccountNumber>, version: &Version, first: AccountNumber) {
        let accounts = version.accounts();
        let numbers: Box<dyn Iterator<Item = AccountNumber>> = match self.station {
            Some(station) => {
                // Where any kind is wanted, all that are looked at are shown.
                let most = if self.kind.is_none() { self.size.get() } else { LIST_SCANNED_MAX };
                Box::new(accounts.of_station(station, first, most + 1).into_iter())
            }
            None => Box::new((first.0..accounts.len()).map(AccountNumber)),
        };
        scan.over(numbers.map(|number| (u64::from(number.0), number)), |number| {
            let is_it = |kind| accounts.identity(number).is_some_and(|account| account.kind == kind);
            self.kind.is_none_or(is_it).then_some(number)
        });
    }
}

impl Reads {
    /// An account and what is on it.
    ///
    /// # Errors
    /// [`ReadError::NotPermitted`], [`ReadError::AccountUnknown`].
    pub fn account(&self, reader: Reader, account: AccountId) -> Result<Reflected<Account>, ReadError> {
        reader.check(Permission::Local)?;
        let shown = self.node.projection.shown();
        let told = told(&shown, named(&shown, account)?);
        let reflected_index = LogIndex(shown.reflected_index());
        told.map(|answer| Reflected { answer, reflected_index }).ok_or(ReadError::AccountUnknown { account })
    }

    /// Accounts in the order in which they were opened. Looks at up to 100,000 of them.
    ///
    /// # Errors
    /// [`ReadError::NotPermitted`], [`ReadError::FieldInvalid`], [`ReadError::AccountUnknown`] of the station.
    pub fn accounts(&self, reader: Reader, asked: &AccountsAsked) -> Result<Page<Account>, ReadError> {
        reader.check(Permission::Local)?;
        let seal = self.seal(reader, List::Accounts);
        let first_page = ListCursor { kind: asked.kind, station: asked.station, ..ListCursor::default() };
        let from = seal.begin(asked.cursor.as_deref(), first_page)?;
        let version = self.version();
        let station = from.station.map(|id| named(&version, id)).transpose()?;
        let picked = Picked { kind: from.kind, station, size: asked.page_size };
        let first = AccountNumber(u32::try_from(from.next).unwrap_or(u32::MAX));
        let mut scan = Scan::new(asked.page_size);
        picked.scan(&mut scan, &version, first);
        // What is on them is told as of one moment, and with it those few that were opened since.
        let shown = self.node.projection.shown();
        picked.scan(&mut scan, &shown, first.max(AccountNumber(version.accounts().len())));
        let rows = scan.rows.iter().filter_map(|number| told(&shown, *number)).collect();
        let reflected_index = LogIndex(shown.reflected_index());
        drop(shown);
        Ok(Page { rows, next: seal.lead_on(from, scan.next), reflected_index })
    }

    /// Accounts whose ids begin with 6 to 32 hex digits, of either case. Looks at all there are.
    ///
    /// # Errors
    /// [`ReadError::NotPermitted`]; [`ReadError::FieldInvalid`], `prefix`.
    pub fn find(&self, reader: Reader, prefix: &str) -> Result<Reflected<Found>, ReadError> {
        reader.check(Permission::Local)?;
        let is_hex = prefix.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !(FIND_DIGITS_MIN..=FIND_DIGITS_MAX).contains(&prefix.len()) || !is_hex {
            return Err(ReadError::invalid("prefix", "6 to 32 hex digits"));
        }
        let prefix = prefix.to_ascii_lowercase();
        let mut found = Vec::new();
        let mut search = |version: &Version, first: u32| {
            let fits =
                |number: &AccountNumber| version.accounts().id(*number).is_some_and(|id| begins_with(id, &prefix));
            let room = FOUND_MAX + 1 - found.len();
            found.extend((first..version.accounts().len()).map(AccountNumber).filter(fits).take(room));
        };
        let version = self.version();
        search(&version, 0);
        // As for a list: what is on them, and those that were opened since.
        let shown = self.node.projection.shown();
        search(&shown, version.accounts().len());
        let accounts = found.iter().take(FOUND_MAX).filter_map(|number| told(&shown, *number)).collect();
        let answer = Found { accounts, more: found.len() > FOUND_MAX };
        Ok(Reflected { answer, reflected_index: LogIndex(shown.reflected_index()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_begin_with_their_own_digits() {
        let mut id = AccountId([0; 16]);
        id.0[..3].copy_from_slice(&[0x0a, 0xbc, 0x9f]);
        for (digits, begins) in [("0abc9f", true), ("0abc9f0", true), ("0abc9e", false), ("abc9f0", false)] {
            assert_eq!(begins_with(id, digits), begins, "{digits}");
        }
        assert!(begins_with(id, &id.to_string()));
    }
}
