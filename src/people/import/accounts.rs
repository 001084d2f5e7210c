//! Who the people and stations of a file are in the ledger.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use unicode_normalization::UnicodeNormalization;

use super::{ImportError, items::Item, mapping::Mapping, remote::Remote};
use crate::{format::proto, ledger::AccountId, people::directory::Directory};

/// Hex digits of an account's id, and the fewest that name one.
const ID_DIGITS: usize = 32;
const PREFIX_DIGITS_MIN: usize = 6;

/// What a name of the file is a name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Party {
    Volunteer,
    Station,
}

impl Party {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Volunteer => "volunteer",
            Self::Station => "station",
        }
    }

    pub(crate) const fn takes(self, kind: proto::AccountKind) -> bool {
        match self {
            Self::Station => matches!(kind, proto::AccountKind::Station),
            Self::Volunteer => {
                matches!(kind, proto::AccountKind::Resident | proto::AccountKind::Household | proto::AccountKind::Group)
            }
        }
    }

    /// The key of a name in the directory.
    pub(crate) fn outside(self, name: &str) -> String {
        format!("{}/{name}", self.name())
    }
}

/// What is known of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    Account(AccountId),
    /// Nobody by that name: an account may be opened.
    Nobody,
    /// It can't be told whose name it is, and why.
    Unclear(String),
}

/// Names of a file with their accounts.
pub(crate) type Accounts = HashMap<(Party, String), Found>;

/// Looks up everyone that items name.
///
/// # Errors
/// The directory can't be read, or the ledger doesn't answer.
pub(crate) async fn look_up<R: Remote>(
    remote: &mut R,
    (mapping, directory): (&Mapping, &Directory),
    items: &[Item],
) -> Result<Accounts, ImportError> {
    let mut names: BTreeSet<(Party, &str)> = BTreeSet::new();
    for wanted in items.iter().filter_map(Item::wanted) {
        names.insert((Party::Volunteer, &wanted.volunteer));
        names.insert((Party::Station, &wanted.station));
    }
    let mut accounts = Accounts::with_capacity(names.len());
    for (party, name) in names {
        let found = account(remote, (mapping, directory), party, name).await?;
        accounts.insert((party, name.to_owned()), found);
    }
    Ok(accounts)
}

async fn account<R: Remote>(
    remote: &mut R,
    (mapping, directory): (&Mapping, &Directory),
    party: Party,
    name: &str,
) -> Result<Found, ImportError> {
    let (named, are_ids) = match party {
        Party::Volunteer => (&mapping.volunteers, mapping.account_ids.volunteers),
        Party::Station => (&mapping.stations, mapping.account_ids.stations),
    };
    if let Some(id) = entry(named, name) {
        return by_id(remote, party, id).await.map(|found| match found {
            Found::Nobody => {
                Found::Unclear(format!("[{}s] in the mapping: no {} {id} here", party.name(), party.name()))
            }
            found @ (Found::Account(_) | Found::Unclear(_)) => found,
        });
    }
    if are_ids {
        let is_id = name.len() >= PREFIX_DIGITS_MIN
            && name.len() <= ID_DIGITS
            && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_id {
            return Ok(Found::Unclear(format!(
                "{} {name:?} is no account id: the mapping says account_ids, and one has {ID_DIGITS} hex digits, of which the \
                 first {PREFIX_DIGITS_MIN} or more are enough",
                party.name()
            )));
        }
        return by_id(remote, party, name).await.map(|found| match found {
            Found::Nobody => Found::Unclear(format!("there is no {} {name} in this ledger", party.name())),
            found @ (Found::Account(_) | Found::Unclear(_)) => found,
        });
    }
    if let Some(account) = linked(mapping, directory, party, name)? {
        return Ok(Found::Account(account));
    }
    let is_whole_id = name.len() == ID_DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_whole_id {
        let answer = remote.find(&name.to_ascii_lowercase()).await?;
        let found = fitting(&answer, party, name);
        if let Found::Account(_) = found {
            return Ok(found);
        }
        if !answer.accounts.is_empty() {
            return Ok(Found::Unclear(format!(
                "{name} is an account, but no {}'s: are the columns mixed up?",
                party.name()
            )));
        }
    }
    if party == Party::Station {
        // A station is named by whoever writes the mapping: that another spreadsheet of this folder calls one so is enough.
        let mut others = directory.accounts_named(&party.outside(name))?;
        others.sort_by_key(|other| other.account);
        others.dedup_by_key(|other| other.account);
        return Ok(match others.as_slice() {
            [] => Found::Nobody,
            [only] => Found::Account(only.account),
            several => {
                let sources: Vec<&str> = several.iter().map(|other| other.source.as_str()).collect();
                Found::Unclear(format!(
                    "station {name:?} is another one in each of the sources {}: say which with accounts_of in the mapping",
                    sources.join(", ")
                ))
            }
        });
    }
    Ok(Found::Nobody)
}

fn entry<'a>(named: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    named.iter().find(|(key, _)| super::cell::text::tidy(key) == name).map(|(_, id)| id.as_str())
}

/// The account that this source, or the one it shares people with, has linked.
fn linked(
    mapping: &Mapping,
    directory: &Directory,
    party: Party,
    name: &str,
) -> Result<Option<AccountId>, ImportError> {
    // Links of earlier versions were not in one normal form.
    let apart: String = if name.is_ascii() { name.to_owned() } else { name.nfd().collect() };
    for name in [name, &apart] {
        let outside = party.outside(name);
        if let Some(account) = directory.account(&outside)? {
            return Ok(Some(account));
        }
        if let Some(source) = &mapping.accounts_of
            && let Some(account) = directory.account_of(source, &outside)?
        {
            return Ok(Some(account));
        }
    }
    Ok(None)
}

async fn by_id<R: Remote>(remote: &mut R, party: Party, id: &str) -> Result<Found, ImportError> {
    Ok(fitting(&remote.find(&id.to_ascii_lowercase()).await?, party, id))
}

/// The one account of those found that can be such a party.
fn fitting(answer: &proto::FindAccountsResponse, party: Party, id: &str) -> Found {
    let fits = |account: &&proto::Account| party.takes(account.kind());
    let mut fitting = answer.accounts.iter().filter(fits);
    match (fitting.next(), fitting.next(), answer.more) {
        (Some(account), None, false) => {
            let id = <[u8; 16]>::try_from(account.account.as_ref());
            id.map_or(Found::Nobody, |id| Found::Account(AccountId(id)))
        }
        (None, _, false) => Found::Nobody,
        (_, _, _) => Found::Unclear(format!("several accounts begin with {id}: write more of its digits")),
    }
}
