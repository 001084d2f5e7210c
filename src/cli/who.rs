//! Accounts as people name them: by id, by the first digits of one, or by what an import calls them.

use std::{
    collections::HashMap,
    convert::Infallible,
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::{
    call::{Client, answer},
    language::said,
    output::{Failure, usage},
};
use crate::{
    access::names,
    engine::store::StoreError,
    format::{proto, wire},
    ledger::{AccountId, Text},
    people::directory::{Accounts, OutsideAccount},
};

/// Fewest digits that an id may be named by: 16 million are told apart by them.
const PREFIX_DIGITS_MIN: usize = 6;
/// Digits of an id.
const ID_DIGITS: usize = 32;
/// Digits shown where there is no room for all.
const SHOWN_DIGITS: usize = 8;
/// Most names that are looked through for what accounts are called: those of a big city, 35 to 55 MB and 0.4 s. Beyond it
/// accounts without a name are shown by their ids.
const NAMES_MAX: usize = 200_000;

/// An account as somebody typed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccountName(String);

impl FromStr for AccountName {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.trim().to_owned()))
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl AccountName {
    /// Whether it is the word for no account at all, where an option can be taken back.
    pub(crate) fn is_none(&self) -> bool {
        self.0 == "none"
    }

    fn id(&self) -> Option<AccountId> {
        let bytes = hex::decode(&self.0).ok().and_then(|bytes| bytes.try_into().ok());
        bytes.map(AccountId)
    }

    /// The first digits of an id, where it can be that.
    fn prefix(&self) -> Option<&str> {
        let digits = (PREFIX_DIGITS_MIN..ID_DIGITS).contains(&self.0.len());
        (digits && self.0.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(self.0.as_str())
    }
}

/// Who is who at a ledger, as far as this machine knows.
#[derive(Default)]
pub(crate) struct Who {
    client: Option<Client>,
    links: Option<Accounts>,
    /// Why there are no links although there is a directory.
    problem: Option<String>,
    names: HashMap<AccountId, String>,
}

/// An account that fits what was typed, and why.
struct Fit {
    account: AccountId,
    why: String,
}

impl Who {
    /// With a server to ask, which also says which ledger's names are meant.
    pub(crate) async fn online(mut client: Client, folder: &Path) -> anyhow::Result<Self> {
        if !directory(folder).is_dir() {
            return Ok(Self { client: Some(client), ..Self::default() });
        }
        let genesis = answer(client.get_status(proto::GetStatusRequest {})).await?.genesis_leaf_hash;
        Ok(Self::of(Some(client), folder, &genesis))
    }

    /// With a server to ask or without one, and with the names that imports brought to the ledger with this genesis.
    pub(crate) fn of(client: Option<Client>, folder: &Path, genesis: &[u8]) -> Self {
        let (links, problem) = match Accounts::open(&directory(folder), genesis) {
            Ok(links) => (links, None),
            Err(error) => (None, Some(error.to_string())),
        };
        let called = |found: OutsideAccount| (found.account, bare(&found.outside).to_owned());
        let names = links.iter().flat_map(|links| links.each(NAMES_MAX)).map(called).collect();
        Self { client, links, problem, names }
    }

    /// The account that is meant.
    ///
    /// # Errors
    /// None fits, or several do.
    pub(crate) async fn account(&mut self, option: &str, name: &AccountName) -> anyhow::Result<AccountId> {
        if let Some(problem) = self.problem.as_ref().filter(|_| name.id().is_none()) {
            // What an import calls so can't be looked up: the digits of an id alone could be somebody else's.
            return Err(usage(format!(
                "{option} {name}: the names of imports can't be read now. Say the whole id. {problem}"
            )));
        }
        let mut fits = self.called(name).map_err(|error| usage(format!("{option} {name}: {error}")))?;
        match (name.id(), name.prefix()) {
            (Some(id), _) if fits.is_empty() => return Ok(id),
            (Some(id), _) if self.exists(id).await? => fits.push(Fit { account: id, why: "its id".to_owned() }),
            (None, Some(prefix)) => fits.extend(self.beginning_with(prefix).await?),
            (Some(_) | None, _) => {}
        }
        fits.sort_by_key(|fit| fit.account);
        fits.dedup_by_key(|fit| fit.account);
        match fits.as_slice() {
            [fit] => Ok(fit.account),
            [] => Err(usage(format!("{option} {name}: {}", self.nobody(name)))),
            several => {
                let lines = several.iter().map(|fit| format!("\n  {}  {}", fit.account, fit.why));
                let lines: String = lines.collect();
                Err(usage(format!("{option} {name} fits several accounts; say which by its id:{lines}")))
            }
        }
    }

    /// The account that is meant, where one is named.
    pub(crate) async fn optional(
        &mut self,
        option: &str,
        name: Option<&AccountName>,
    ) -> anyhow::Result<Option<AccountId>> {
        match name {
            Some(name) => self.account(option, name).await.map(Some),
            None => Ok(None),
        }
    }

    fn called(&self, name: &AccountName) -> Result<Vec<Fit>, StoreError> {
        let Some(links) = &self.links else { return Ok(Vec::new()) };
        let outsides = ["volunteer", "station", "pool"].map(|part| format!("{part}/{name}"));
        let fit = |found: OutsideAccount| {
            let what = found.outside.split_once('/').map_or("", |(what, _)| what);
            Fit { account: found.account, why: format!("{what} {name} of {}", found.source) }
        };
        Ok(links.find(&outsides)?.into_iter().map(fit).collect())
    }

    async fn beginning_with(&mut self, prefix: &str) -> anyhow::Result<Vec<Fit>> {
        let Some(client) = &mut self.client else {
            let fits = self.names.iter().filter(|(id, _)| id.to_string().starts_with(&prefix.to_ascii_lowercase()));
            return Ok(fits.map(|(account, name)| Fit { account: *account, why: name.clone() }).collect());
        };
        let found = answer(client.find_accounts(proto::FindAccountsRequest { prefix: prefix.to_owned() })).await?;
        let fit = |account: &proto::Account| {
            let id = AccountId(account.account.as_ref().try_into().ok()?);
            let name = self.names.get(&id).map_or_else(String::new, |name| format!(", {name}"));
            Some(Fit { account: id, why: format!("{}{name}", said(&kind_name(account.kind))) })
        };
        let mut fits: Vec<Fit> = found.accounts.iter().filter_map(fit).collect();
        if found.more {
            fits.iter_mut().take(1).for_each(|fit| fit.why.push_str(" (and more than are shown here)"));
        }
        Ok(fits)
    }

    async fn exists(&mut self, id: AccountId) -> anyhow::Result<bool> {
        // Without a server both are possible, and asked about.
        let Some(client) = &mut self.client else { return Ok(true) };
        let request = proto::GetAccountRequest { account: id.0.to_vec().into(), min_index: 0 };
        match answer(client.get_account(request)).await {
            Ok(_) => Ok(true),
            Err(error) => match error.downcast_ref() {
                Some(Failure::Refused(refused)) if refused.code.as_deref() == Some("AccountUnknown") => Ok(false),
                _ => Err(error),
            },
        }
    }

    fn nobody(&self, name: &AccountName) -> String {
        if self.client.is_none() {
            return "no import brought an account of this name or id, and without a server no others are known. Expected an id \
                    of 32 hex digits"
                .to_owned();
        }
        let digits = if name.prefix().is_some() { "no account's id begins with it, and " } else { "" };
        format!(
            "{digits}no import brought an account of this name. Expected an id of 32 hex digits, 6 or more of \
             its first ones, or the name or number that an import knows; `timebank account list` shows them, and --data DIR \
             names the data folder that knows them"
        )
    }

    /// What an import calls an account, if any does.
    pub(crate) fn name(&self, id: &[u8]) -> Option<&str> {
        let id = AccountId(id.try_into().ok()?);
        self.names.get(&id).map(String::as_str)
    }

    /// The same for people, whatever lines it has.
    pub(crate) fn name_on_a_line(&self, id: &[u8]) -> Option<String> {
        self.name(id).map(|name| name.replace('\n', " "))
    }

    /// Whether any account has a name.
    pub(crate) fn has_names(&self) -> bool {
        !self.names.is_empty()
    }

    /// An account in a sentence: its name with the first digits of its id, or these alone.
    pub(crate) fn label(&self, id: &[u8]) -> String {
        let short = short(id);
        self.name_on_a_line(id).map_or_else(|| short.clone(), |name| format!("{name} ({short})"))
    }
}

/// Where imports keep what accounts are called.
fn directory(folder: &Path) -> PathBuf {
    folder.join("directory")
}

/// The kind of an account, in both languages.
pub(crate) fn kind_name(kind: i32) -> Text {
    wire::account_kind(kind).map_or(names::UNKNOWN, names::account_kind)
}

/// The first digits of an account's id, as commands take them.
pub(crate) fn short(id: &[u8]) -> String {
    let mut digits = hex::encode(id);
    digits.truncate(SHOWN_DIGITS);
    digits
}

/// An outside id without the word for what it is.
fn bare(outside: &str) -> &str {
    outside.split_once('/').map_or(outside, |(_, id)| id)
}
