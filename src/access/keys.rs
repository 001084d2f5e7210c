//! Keys that were enrolled.

use super::{
    cursor::{List, ListCursor},
    failure::ReadError,
    page::{Page, PageSize, Scan},
    reader::{Permission, Reader},
    reads::{Reads, named},
};
use crate::ledger::{AccountId, KeyId, KeyRole, LogIndex};

/// An enrolled key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Follows from the public key.
    pub id: KeyId,
    /// Ed25519.
    pub public_key: [u8; 32],
    /// Fixed when it is enrolled.
    pub role: KeyRole,
    /// The station or account that it acts for.
    pub account: Option<AccountId>,
    /// It may sign no more.
    pub revoked: bool,
}

/// Which keys a page is asked for. With a cursor, the filter is stated again or not at all.
#[derive(Debug, Clone)]
pub struct KeysAsked {
    /// Only those that act for this account.
    pub account: Option<AccountId>,
    /// Rows wanted.
    pub page_size: PageSize,
    /// [`Page::next`] of the page before; none for the first one.
    pub cursor: Option<String>,
}

impl Reads {
    /// Keys in the order in which they were enrolled.
    ///
    /// # Errors
    /// [`ReadError::NotPermitted`], [`ReadError::FieldInvalid`], [`ReadError::AccountUnknown`].
    pub fn keys(&self, reader: Reader, asked: &KeysAsked) -> Result<Page<Key>, ReadError> {
        reader.check(Permission::Local)?;
        let seal = self.seal(reader, List::Keys);
        let first_page = ListCursor { account: asked.account, ..ListCursor::default() };
        let from = seal.begin(asked.cursor.as_deref(), first_page)?;
        let version = self.version();
        let (keys, accounts) = (version.keys(), version.accounts());
        let account = from.account.map(|id| named(&version, id)).transpose()?;
        let first = u32::try_from(from.next).unwrap_or(u32::MAX);
        let numbers: Box<dyn Iterator<Item = u32>> = match account {
            Some(account) => Box::new(keys.of_account(account, first, asked.page_size.get() + 1).into_iter()),
            None => Box::new(first..keys.len()),
        };
        let mut scan = Scan::new(asked.page_size);
        scan.over(numbers.map(|number| (u64::from(number), number)), |number| {
            keys.row(number).map(|key| Key {
                id: key.id,
                public_key: key.public_key,
                role: key.role,
                account: key.account.and_then(|account| accounts.id(account)),
                revoked: key.revoked,
            })
        });
        let next = seal.lead_on(from, scan.next);
        Ok(Page { rows: scan.rows, next, reflected_index: LogIndex(version.reflected_index()) })
    }
}
