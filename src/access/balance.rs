//! Balances, now and as of the past.

use super::{
    failure::ReadError,
    page::Reflected,
    reader::{Permission, Reader},
    reads::{Reads, named},
};
use crate::ledger::{AccountId, LogIndex, Millis, Minutes};

/// A moment that a balance is asked for as of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// After this entry.
    Index(LogIndex),
    /// After the last entry recorded at or before this time.
    Time(Millis),
}

/// What is on an account, or was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// Sum of its postings.
    pub balance: Minutes,
    /// Reserved by holds.
    pub held: Minutes,
    /// What can be spent; nothing for issuance, nor of the past, whose floors are not kept.
    pub available: Option<Minutes>,
}

impl Reads {
    /// What is on an account now.
    ///
    /// # Errors
    /// [`ReadError::NotPermitted`], [`ReadError::AccountUnknown`].
    pub fn balance(&self, reader: Reader, account: AccountId) -> Result<Reflected<Balance>, ReadError> {
        reader.check(Permission::Local)?;
        let shown = self.node.projection.shown();
        let number = named(&shown, account)?;
        let account = shown.account(number).ok_or(ReadError::AccountUnknown { account })?;
        let answer = Balance { balance: account.balance, held: account.held, available: account.available() };
        Ok(Reflected { answer, reflected_index: LogIndex(shown.reflected_index()) })
    }

    /// What was on an account: nothing before it was opened. Reads rows.
    ///
    /// # Errors
    /// [`ReadError::NotPermitted`], [`ReadError::AccountUnknown`], [`ReadError::IndexOutOfRange`],
    /// [`ReadError::TimeOutOfRange`], [`ReadError::Failed`].
    pub fn balance_as_of(
        &self,
        reader: Reader,
        account: AccountId,
        as_of: AsOf,
    ) -> Result<Reflected<Balance>, ReadError> {
        reader.check(Permission::Local)?;
        let version = self.version();
        let number = named(&version, account)?;
        let reflected_index = version.reflected_index();
        let history = self.node.projection.history();
        let index = match as_of {
            AsOf::Index(LogIndex(index)) if index <= reflected_index => index,
            AsOf::Index(LogIndex(index)) => return Err(ReadError::IndexOutOfRange { index, reflected_index }),
            // Rows are there a moment before they are shown.
            AsOf::Time(Millis(ms)) => history.index_at_time(ms)?.ok_or(ReadError::TimeOutOfRange)?.min(reflected_index),
        };
        let row = history.as_of_index(number.0, index)?;
        let (balance, held) = row.map_or((0, 0), |row| (row.balance_after, row.held_after));
        let answer = Balance { balance: Minutes::new(balance), held: Minutes::new(held), available: None };
        Ok(Reflected { answer, reflected_index: LogIndex(index) })
    }
}
