//! Keys, pin and unsent sheets: small files beside the log.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use prost::Message;

use super::{super::open::OTHERS, BACKUP, Findings, Part};
use crate::{
    engine::{
        key_file::{KeyFile, KeyFileError},
        replay::{Replay, SignatureVerdict},
    },
    format::{proto, wire},
    ledger::LedgerCreated,
    trust::audit::Pin,
};

/// Said of a key, and of a pin, that the log's genesis speaks against.
const NOT_THE_KEY: &str = "it is not the key that the genesis names";
const NOT_THE_PIN: &str = "it names another ledger than the log's genesis does";

/// The keys that serving needs, and the operator's where it is still here.
pub(super) fn check_keys(folder: &Path, created: &LedgerCreated, findings: &mut Findings) {
    let mut check = |name: &str, is_needed: bool, named: &[[u8; 32]], remedy| {
        let path = folder.join(name);
        match KeyFile::read(&path) {
            Ok(file) if !named.contains(&file.key.public_key()) => {
                findings.add(Part::Keys, name, &NOT_THE_KEY, remedy);
            }
            Ok(_) => {
                let mode = fs::metadata(&path).map_or(0, |file| file.permissions().mode());
                if mode & OTHERS != 0 {
                    let problem = format!("others than its owner may read or change it (mode {:o})", mode & 0o777);
                    findings.add(Part::Keys, name, &problem, "chmod 600, and ask who may have read it");
                }
            }
            Err(KeyFileError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                if is_needed {
                    findings.add(Part::Keys, name, &"it is missing", remedy);
                }
            }
            Err(error) => findings.add(Part::Keys, name, &error, remedy),
        }
    };
    let remedy = "Put it back from a backup: without it nothing is signed or served. Where no backup has it, carry on with \
                  `serve --succeed`: docs/recovery.md";
    check("ledger.key", true, &[created.ledger_key], remedy);
    let remedy = "Put it back from a backup. Until then holds that run out are not ended by the service";
    check("service.key", true, &[created.service_key.1], remedy);
    let operators: Vec<[u8; 32]> = created.operator_keys.iter().map(|(_, key)| *key).collect();
    check("operator.key", false, &operators, "Keep the right one in a safe place; serving needs none");
}

/// What auditors are given. One that is gone is made again; one that names another ledger is what tells that the log was
/// swapped, and never is.
pub(super) fn check_pin(folder: &Path, expected: &Pin, findings: &mut Findings) {
    let path = folder.join("ledger.pin");
    match Pin::read(&path) {
        Ok(pin) if pin == *expected => {}
        Ok(_) => {
            let remedy = "Ask an auditor for the pin that was given out. If this file is that pin, the log is not this \
                          ledger's: restore the folder from a backup. If it is not, put the auditor's here";
            findings.add(Part::Pin, "ledger.pin", &NOT_THE_PIN, remedy);
        }
        Err(_) if !path.exists() => findings.add_derived(Part::Pin, "ledger.pin", &"it is missing"),
        Err(error) => findings.add_derived(Part::Pin, "ledger.pin", &error),
    }
}

/// A log that pin and ledger key both speak against is sound in itself, and another ledger's.
pub(super) fn check_whose_log(origin: &str, findings: &mut Findings) {
    let said = |place: &str, problem: &str| {
        findings.problems.iter().any(|found| found.place == place && found.problem == problem)
    };
    if said("ledger.pin", NOT_THE_PIN) && said("ledger.key", NOT_THE_KEY) {
        let problem =
            format!("this log is of {origin}, and ledger.pin and ledger.key are another ledger's: it was swapped");
        findings.add(Part::Log, "entry 0", &problem, BACKUP);
    }
}

/// What is for everybody, and may be read where the folder itself can be entered.
const PUBLIC: [&str; 3] = ["checkpoint", "cosigned", "ledger.pin"];

/// The folder and what is in it, as far as others may get there: one problem for each name in the folder, as one command mends all.
pub(super) fn check_modes(folder: &Path, findings: &mut Findings) {
    if let Err(error) = modes(folder, findings) {
        findings.add(Part::Folder, ".", &format!("not all of it can be looked at: {error}"), "Look at it as its owner");
    }
}

fn modes(folder: &Path, findings: &mut Findings) -> std::io::Result<()> {
    let remedy = "`chmod -R go= DIR`, DIR the data folder, takes it from them; then ask who may have read it";
    let own = others(&fs::metadata(folder)?);
    let Some(mode) = own else { return Ok(()) };
    findings.add(Part::Folder, ".", &format!("others than its owner may enter or read it (mode {mode:o})"), remedy);
    let mut names = fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    names.sort_by_key(fs::DirEntry::file_name);
    for entry in names {
        let name = entry.file_name().to_string_lossy().into_owned();
        // Of a key more is said, elsewhere.
        let is_key = Path::new(&name).extension().is_some_and(|extension| extension == "key");
        let Some(mode) = others(&entry.metadata()?).filter(|_| !is_key && !PUBLIC.contains(&name.as_str())) else {
            continue;
        };
        let (within, kind) = if entry.file_type()?.is_dir() { (open_within(&entry.path())?, "/") } else { (0, "") };
        let more = if within == 0 { String::new() } else { format!(", and {within} of what is in it") };
        let problem = format!("others than its owner may read or change it{more} (mode {mode:o})");
        findings.add(Part::Folder, format!("{name}{kind}"), &problem, remedy);
    }
    Ok(())
}

/// How many files and folders below one that others may enter are open to them too.
fn open_within(folder: &Path) -> std::io::Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if others(&entry.metadata()?).is_some() {
            count += 1;
            count += if entry.file_type()?.is_dir() { open_within(&entry.path())? } else { 0 };
        }
    }
    Ok(count)
}

/// The mode of what others than its owner may read, change or enter.
fn others(metadata: &fs::Metadata) -> Option<u32> {
    let mode = metadata.permissions().mode() & 0o777;
    // The mode of a link itself says nothing.
    (mode & OTHERS != 0 && !metadata.is_symlink()).then_some(mode)
}

/// Sheets that commands kept to be sent again: that they can be read, and were signed as they are by keys that the ledger knows.
/// Those of other keys are left alone: a sheet that enrols them may be on its way.
pub(super) fn check_unsent(folder: &Path, replay: Option<&Replay>, findings: &mut Findings) {
    let Ok(files) = fs::read_dir(folder.join("unsent")) else { return };
    let mut paths: Vec<_> = files.filter_map(|file| file.ok().map(|file| file.path())).collect();
    paths.sort();
    for path in paths.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "sheet")) {
        let sheet = fs::read(&path).map_err(|error| error.to_string());
        let decoded = sheet.and_then(|bytes| {
            let sheet = proto::Sheet::decode(bytes.as_slice()).map_err(|error| error.to_string())?;
            let decoded = wire::decode(&sheet).map_err(|refusal| refusal.to_string())?;
            match replay.map(|replay| replay.verdict(&decoded)) {
                Some(SignatureVerdict::Invalid(refusal)) => Err(refusal.to_string()),
                Some(SignatureVerdict::Valid | SignatureVerdict::SignerUnknown(_)) | None => Ok(()),
            }
        });
        if let Err(problem) = decoded {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let remedy = "It can't be submitted any more: look in the history whether it was recorded, and enter it again if not";
            findings.add(Part::Unsent, format!("unsent/{name}"), &problem, remedy);
        }
    }
}
