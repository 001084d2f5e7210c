//! The directories of imports: that every link leads to what it says, and every sheet on its way is one.

use std::{fs, io, path::Path};

use prost::Message;
use sha2::{Digest, Sha256};

use super::{Findings, Part, tell_set_aside};
use crate::{
    engine::{
        log::Log,
        replay::Replay,
        store::{StoreError, set_aside},
    },
    format::{proto, wire},
    ledger::{AccountId, Event, EventRef},
    merkle::Hash,
    people::directory::{Directory, DirectoryRow, Link},
};

const REMEDY: &str = "Move it away, put that of a backup of the same day as the log's in its place, and import again; without one, \
                      import with `--adopt`. Otherwise an import would not know what was brought before";

pub(super) fn check(
    folder: &Path,
    genesis_leaf_hash: &Hash,
    log: &dyn Log,
    replay: &Replay,
    findings: &mut Findings,
) -> io::Result<()> {
    let root = folder.join("directory");
    if !root.exists() {
        return Ok(());
    }
    let own = hex::encode(&Sha256::digest(genesis_leaf_hash)[..8]);
    let mut names: Vec<String> = fs::read_dir(&root)?
        .map(|file| Ok(file?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<_>>()?;
    names.sort();
    for name in names {
        let place = format!("directory/{name}");
        if name != own {
            let remedy = "It does no harm here; move it to the folder of its ledger";
            findings.add(Part::Directory, place, &"it belongs to another ledger", remedy);
            continue;
        }
        if !root.join(&name).join("db").exists() {
            findings.add(Part::Directory, place, &"its store is missing, and with it every link", REMEDY);
            continue;
        }
        let before = set_aside(&root.join(&name));
        let each = Directory::each(&root.join(&name), &mut |row| {
            let problem = match row {
                Ok(row) => fault(&row, log, replay),
                Err((at, error)) => Some((at, error.to_string())),
            };
            if let Some((at, problem)) = problem {
                findings.add(Part::Directory, format!("{place}, {at}"), &problem, REMEDY);
            }
        });
        tell_set_aside((&root.join(&name), &before), (Part::Directory, &place), each.is_ok(), findings);
        match each {
            Err(StoreError::InUse { .. }) => {
                findings.add(Part::Directory, place, &"an import is under way", "Let it finish, and look again");
            }
            Err(StoreError::CommitsLost { noted, found, .. }) => {
                let problem = format!("it had {noted} commits and opens with {found}: links are lost");
                findings.add(Part::Directory, place, &problem, REMEDY);
            }
            Err(StoreError::CommitsUnknown { .. }) => {
                let problem = "commits is missing or damaged: nobody can tell whether links are lost";
                findings.add(Part::Directory, place, &problem, REMEDY);
            }
            Err(error) => findings.add(Part::Directory, place, &error, REMEDY),
            Ok(()) => {}
        }
    }
    Ok(())
}

/// Where a row leads to nothing.
fn fault(row: &DirectoryRow, log: &dyn Log, replay: &Replay) -> Option<(String, String)> {
    match row {
        DirectoryRow::Link(Link::Account { outside, account }) => {
            let missing = replay.state.account_number(*account).is_none();
            missing.then(|| (format!("account of {outside:?}"), no_account(*account)))
        }
        DirectoryRow::Link(Link::Record { outside, link }) => {
            record_fault(link.record, log).map(|problem| (format!("record {outside:?}"), problem))
        }
        DirectoryRow::Link(Link::Applied { .. }) => None,
        DirectoryRow::Pending(pending) => {
            let at = format!("outbox, sheet {}", pending.number);
            let sheet = proto::Sheet::decode(pending.sheet.as_slice()).map_err(|error| error.to_string());
            let sheet = sheet.and_then(|sheet| wire::decode(&sheet).map_err(|refusal| refusal.to_string()));
            let later = |link: &&Link| match link {
                // Index 0 is the sheet itself, which has no entry yet.
                Link::Record { link, .. } => link.record.index.0 > 0 && record_fault(link.record, log).is_some(),
                Link::Account { .. } | Link::Applied { .. } => false,
            };
            match sheet {
                Err(problem) => Some((at, problem)),
                Ok(_) if pending.links.iter().any(|link| later(&link)) => {
                    Some((at, "it links to a record that is not in the log".to_owned()))
                }
                Ok(_) => None,
            }
        }
    }
}

fn no_account(account: AccountId) -> String {
    format!("the log has no account {account}")
}

fn record_fault(at: EventRef, log: &dyn Log) -> Option<String> {
    let entry = match log.entry(at.index.0) {
        Ok(entry) => entry,
        Err(error) => return Some(error.to_string()),
    };
    let event = entry.and_then(|entry| wire::decode_event(entry.events.get(usize::from(at.event))?).ok());
    match event {
        Some(Event::ServiceRecorded(_)) => None,
        Some(event) => Some(format!("event {at} of the log is no record, but {}", event.name())),
        None => Some(format!("the log has no event {at}")),
    }
}
