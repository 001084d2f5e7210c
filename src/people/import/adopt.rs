//! Links that were lost, found again by what records say: for a spreadsheet that was imported before, by another machine or
//! under other names. Nothing is recorded; what can't be told apart is left alone.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    Import, ImportError,
    accounts::{Accounts, Found, Party, look_up},
    items::Item,
    remote::{Remote, event_ref},
    row::Wanted,
    standing::{date, digest},
};
use crate::{
    format::proto,
    ledger::{AccountId, EventRef},
    people::directory::{Link, RecordLink},
};

/// Accounts and rows of one and the same content that are compared with one another: more of them, a whole festival at the
/// same hours say, tell nobody from anybody.
const ALIKE_MAX: usize = 300;

/// Accounts whose records are looked at, for one that an earlier import may have brought: some seconds' worth.
const LOOKED_AT_MAX: usize = 20_000;
/// So many rows alike are no chance any more.
const ALIKE_MIN: usize = 5;
/// So many records of one account say that it is the one of a name: a single one may be anybody's.
const RECORDS_MIN: usize = 2;

/// What a service says beside whom it credits.
type Content = (Vec<u8>, String, String);

/// A record of the ledger that no row is linked with.
#[derive(Debug)]
struct Candidate {
    record: EventRef,
    account: AccountId,
    service: proto::Service,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Adoption {
    /// Rows of the file that could have a record.
    pub(crate) rows: usize,
    /// Names of the file, whose they were found to be, and by how many records.
    pub(crate) people: Vec<(String, AccountId, usize)>,
    /// Rows linked with a record.
    pub(crate) linked: usize,
    /// Names that could be those of several accounts.
    pub(crate) unsure: Vec<String>,
    /// Rows of which no record was found, as the file's places.
    pub(crate) unmatched: Vec<u64>,
}

/// The content of a service, with what time of it the ledger keeps.
fn content(served: Option<&proto::service::Served>, category: &str, activity: &str) -> Content {
    use prost::Message;
    let service = proto::Service { served: served.copied(), ..proto::Service::default() };
    (service.encode_to_vec(), category.to_owned(), activity.to_owned())
}

fn content_of_row(wanted: &Wanted) -> Content {
    content(Some(&wanted.served), &wanted.category, &wanted.activity)
}

fn content_of_record(service: &proto::Service) -> Content {
    content(service.served.as_ref(), &service.category, &service.activity)
}

/// The stations that rows name; none if one of them isn't in the ledger yet, or can't be told.
fn stations(items: &[Item], known: &Accounts) -> Option<Vec<AccountId>> {
    let mut found = Vec::new();
    for wanted in items.iter().filter_map(Item::wanted) {
        match known.get(&(Party::Station, wanted.station.clone())) {
            Some(Found::Account(account)) => found.push(*account),
            Some(Found::Nobody | Found::Unclear(_)) | None => return None,
        }
    }
    found.sort_unstable_by_key(|account| account.0);
    found.dedup();
    Some(found)
}

/// Calls for each account of these stations, or each at all, and for each record in its history, until it answers that it has
/// enough.
async fn each_record<R: Remote>(
    remote: &mut R,
    stations: Option<Vec<AccountId>>,
    enough: &mut dyn FnMut(AccountId, Option<proto::Record>) -> bool,
) -> Result<(), ImportError> {
    let stations = stations.map_or_else(|| vec![None], |stations| stations.into_iter().map(Some).collect());
    for station in stations {
        let mut cursor = String::new();
        loop {
            let page = remote.accounts(station, cursor).await?;
            for account in page.accounts.iter().filter(|account| Party::Volunteer.takes(account.kind())) {
                let Ok(id) = <[u8; 16]>::try_from(account.account.as_ref()) else { continue };
                if enough(AccountId(id), None) {
                    return Ok(());
                }
                let mut cursor = String::new();
                loop {
                    let services = remote.services(&id, cursor).await?;
                    for record in services.rows.into_iter().filter_map(|row| row.details?.record) {
                        if enough(AccountId(id), Some(record)) {
                            return Ok(());
                        }
                    }
                    cursor = services.next_cursor;
                    if cursor.is_empty() {
                        break;
                    }
                }
            }
            cursor = page.next_cursor;
            if cursor.is_empty() {
                break;
            }
        }
    }
    Ok(())
}

/// What makes it likely that rows were imported before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Before {
    /// A record that is marked as imported.
    Imported(EventRef),
    /// Half of the rows, and not just a few, have records that say the same; this is one.
    Alike(EventRef),
    /// There are more accounts than are looked at.
    Unknown,
}

/// Whether an earlier import may have brought records of the stations that rows name, or of any where one of them is new.
pub(crate) async fn imported_before<R: Remote>(
    remote: &mut R,
    items: &[Item],
    known: &Accounts,
) -> Result<Option<Before>, ImportError> {
    let rows: HashSet<Content> = items.iter().filter_map(Item::wanted).map(content_of_row).collect();
    if rows.is_empty() {
        return Ok(None);
    }
    let stations = stations(items, known);
    let (mut alike, mut accounts, mut found): (HashSet<Content>, usize, _) = (HashSet::new(), 0, None);
    let mut enough = |_: AccountId, record: Option<proto::Record>| {
        let Some(record) = record else {
            accounts += 1;
            if accounts > LOOKED_AT_MAX {
                found = Some(Before::Unknown);
            }
            return found.is_some();
        };
        let (Some(at), Some(service), false) = (record.record.map(event_ref), record.service, record.reversed) else {
            return false;
        };
        let content = content_of_record(&service);
        if rows.contains(&content) {
            alike.insert(content);
        }
        if service.imported {
            found = Some(Before::Imported(at));
        } else if alike.len() >= ALIKE_MIN && alike.len() * 2 >= rows.len() {
            found = Some(Before::Alike(at));
        }
        found.is_some()
    };
    each_record(remote, stations, &mut enough).await?;
    Ok(found)
}

impl<R: Remote> Import<'_, R> {
    /// Links rows with the records that they became, and says which.
    ///
    /// # Errors
    /// See [`ImportError`].
    pub(crate) async fn adopt(&mut self) -> Result<Adoption, ImportError> {
        self.check_outbox().await?;
        let zones = self.zones()?;
        let (items, is_zone_used) = self.items(&zones)?;
        if self.mapping.is_of_operations() {
            return Err(ImportError::Stopped(
                "--adopt: a file of operations can't be linked by what its records say now".to_owned(),
            ));
        }
        let known = look_up(&mut self.remote, (self.mapping, self.directory), &items.all).await?;
        let candidates = self.candidates(&items.all, &known).await?;
        let mut adoption = Adoption::default();
        let (volunteers, unsure) = people(&items.all, &known, &candidates);
        adoption.unsure = unsure;
        let links = match_rows(&items.all, &known, &volunteers, candidates, &mut adoption);
        if !self.options.dry_run {
            let adopted: HashSet<EventRef> = links
                .iter()
                .filter_map(|link| match link {
                    Link::Record { link, .. } => Some(link.record),
                    Link::Account { .. } | Link::Applied { .. } => None,
                })
                .collect();
            // Under another key, the same records went by other names.
            let old = self.directory.records()?.into_iter().filter(|(_, link)| adopted.contains(&link.record));
            let old: Vec<String> = old.map(|(record, _)| record).collect();
            self.directory.relink(&links, &old)?;
            self.keep(is_zone_used, &zones)?;
        }
        Ok(adoption)
    }

    /// Records of the stations that rows name which no other source has brought.
    async fn candidates(&mut self, items: &[Item], known: &Accounts) -> Result<Vec<Candidate>, ImportError> {
        let others: HashSet<EventRef> = self
            .directory
            .records_of_all()?
            .into_iter()
            .filter(|(source, _)| *source != self.mapping.source)
            .map(|(_, record)| record)
            .collect();
        let (mut candidates, mut seen) = (Vec::new(), HashSet::new());
        let mut take = |account, record: Option<proto::Record>| {
            let Some(record) = record else { return false };
            let (Some(at), Some(service), false) = (record.record.map(event_ref), record.service, record.reversed)
            else {
                return false;
            };
            let credits = service.volunteer == account_bytes(account);
            if credits && !others.contains(&at) && seen.insert(at) {
                candidates.push(Candidate { record: at, account, service });
            }
            false
        };
        each_record(&mut self.remote, stations(items, known), &mut take).await?;
        Ok(candidates)
    }
}

/// Gives rows the records of their people that say the same, each once, in the order of the log.
fn match_rows(
    items: &[Item],
    known: &Accounts,
    volunteers: &BTreeMap<String, AccountId>,
    candidates: Vec<Candidate>,
    adoption: &mut Adoption,
) -> Vec<Link> {
    let mut by_content: BTreeMap<([u8; 16], Content), Vec<Candidate>> = BTreeMap::new();
    for candidate in candidates {
        by_content.entry((candidate.account.0, content_of_record(&candidate.service))).or_default().push(candidate);
    }
    for alike in by_content.values_mut() {
        alike.sort_unstable_by_key(|candidate| std::cmp::Reverse(candidate.record));
    }
    let mut links = Vec::new();
    let mut found: BTreeMap<String, (AccountId, usize)> = BTreeMap::new();
    let mut stations: BTreeMap<String, AccountId> = BTreeMap::new();
    for item in items {
        let (Item::Row { number, .. }, Some(wanted)) = (item, item.wanted()) else { continue };
        adoption.rows += 1;
        let account = volunteers.get(&wanted.volunteer).copied();
        let station = match known.get(&(Party::Station, wanted.station.clone())) {
            Some(Found::Account(station)) => Some(*station),
            Some(Found::Nobody | Found::Unclear(_)) | None => stations.get(&wanted.station).copied(),
        };
        let station = station.map(account_bytes);
        let alike = account.and_then(|account| by_content.get_mut(&(account.0, content_of_row(wanted))));
        let candidate = alike.and_then(|alike| {
            // The first of those that are left, of the row's station where that is known by now.
            let fits =
                |candidate: &Candidate| station.as_ref().is_none_or(|station| candidate.service.station == *station);
            alike.iter().rposition(fits).map(|place| alike.remove(place))
        });
        let Some(candidate) = candidate else {
            adoption.unmatched.push(*number);
            continue;
        };
        adoption.linked += 1;
        found.entry(wanted.volunteer.clone()).or_insert((candidate.account, 0)).1 += 1;
        if let Ok(station) = <[u8; 16]>::try_from(candidate.service.station.as_ref()) {
            stations.insert(wanted.station.clone(), AccountId(station));
        }
        let link = RecordLink {
            record: candidate.record,
            digest: digest(&candidate.service),
            reversed: false,
            credited_minutes: candidate.service.credited_minutes,
            source_us: wanted.source_us,
        };
        links.push(Link::Record { outside: item.record().to_owned(), link });
    }
    let is_new = |party, name: &String| {
        matches!(known.get(&(party, name.clone())), Some(Found::Nobody | Found::Unclear(_)) | None)
    };
    for (name, (account, rows)) in found {
        if is_new(Party::Volunteer, &name) {
            links.push(Link::Account { outside: Party::Volunteer.outside(&name), account });
        }
        adoption.people.push((name, account, rows));
    }
    for (name, account) in stations {
        if is_new(Party::Station, &name) {
            links.push(Link::Account { outside: Party::Station.outside(&name), account });
        }
    }
    links
}

/// The local date of what a row wants, in days since 1970-01-01.
fn day(served: Option<&proto::service::Served>, utc_offset_seconds: i32) -> i64 {
    date(&proto::Service { served: served.copied(), utc_offset_seconds, ..proto::Service::default() })
}

fn account_bytes(account: AccountId) -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(&account.0)
}

/// Whose the names of rows are: those that are known, and those of whom one account's records say most of what the rows say,
/// no other's as much, and of the days that the file is about little else. And the names of which that can't be said.
fn people(items: &[Item], known: &Accounts, candidates: &[Candidate]) -> (BTreeMap<String, AccountId>, Vec<String>) {
    let mut whose: BTreeMap<String, AccountId> = BTreeMap::new();
    let mut rows: BTreeMap<Content, BTreeMap<String, usize>> = BTreeMap::new();
    for wanted in items.iter().filter_map(Item::wanted) {
        if let Some(Found::Account(account)) = known.get(&(Party::Volunteer, wanted.volunteer.clone())) {
            whose.insert(wanted.volunteer.clone(), *account);
        } else {
            *rows.entry(content_of_row(wanted)).or_default().entry(wanted.volunteer.clone()).or_insert(0) += 1;
        }
    }
    // Records of each account on days that the file is about.
    let days = items.iter().filter_map(Item::wanted).map(|wanted| day(Some(&wanted.served), wanted.utc_offset_seconds));
    let (first, last) = days.fold((i64::MAX, i64::MIN), |(first, last), day| (first.min(day), last.max(day)));
    let mut own: HashMap<[u8; 16], usize> = HashMap::new();
    let mut records: HashMap<Content, BTreeMap<[u8; 16], usize>> = HashMap::new();
    for candidate in candidates {
        if (first..=last).contains(&date(&candidate.service)) {
            *own.entry(candidate.account.0).or_insert(0) += 1;
        }
        *records.entry(content_of_record(&candidate.service)).or_default().entry(candidate.account.0).or_insert(0) += 1;
    }
    let mut scores: BTreeMap<String, BTreeMap<[u8; 16], usize>> = BTreeMap::new();
    let mut totals: HashMap<&str, usize> = HashMap::new();
    for (content, names) in &rows {
        for (name, count) in names {
            *totals.entry(name).or_insert(0) += count;
        }
        let Some(accounts) =
            records.get(content).filter(|accounts| accounts.len() * names.len() <= ALIKE_MAX * ALIKE_MAX)
        else {
            continue;
        };
        for (name, count) in names {
            for (account, other) in accounts {
                *scores.entry(name.clone()).or_default().entry(*account).or_insert(0) += count.min(other);
            }
        }
    }
    // The surest first: once somebody is found, nobody else is that one.
    let mut taken: HashSet<[u8; 16]> = whose.values().map(|account| account.0).collect();
    loop {
        let mut best: Option<(usize, String, [u8; 16])> = None;
        for (name, accounts) in scores.iter().filter(|(name, _)| !whose.contains_key(*name)) {
            let mut open: Vec<(usize, [u8; 16])> = accounts
                .iter()
                .filter(|(account, _)| !taken.contains(*account))
                .map(|(account, score)| (*score, *account))
                .collect();
            open.sort_unstable_by_key(|(score, account)| (std::cmp::Reverse(*score), *account));
            let Some((score, account)) = open.first().copied() else { continue };
            let next = open.get(1).map_or(0, |(score, _)| *score);
            let is_most = score >= RECORDS_MIN
                && score * 2 >= totals.get(name.as_str()).copied().unwrap_or(0)
                && score * 2 >= own.get(&account).copied().unwrap_or(0);
            if score > next && is_most && best.as_ref().is_none_or(|(other, ..)| score > *other) {
                best = Some((score, name.clone(), account));
            }
        }
        let Some((_, name, account)) = best else { break };
        taken.insert(account);
        whose.insert(name, AccountId(account));
    }
    let unsure = scores
        .iter()
        .filter(|(name, accounts)| {
            !whose.contains_key(*name) && accounts.keys().any(|account| !taken.contains(account))
        })
        .map(|(name, _)| name.clone())
        .collect();
    (whose, unsure)
}
