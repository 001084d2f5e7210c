//! What an import looks at before it sends anything: its files, the server, its directory, and what the rows want.

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use sha2::{Digest, Sha256};

use super::{
    Arguments,
    mapping::Mapping,
    plan::{Item, Later},
    row::Reader,
    table::Table,
};
use crate::{
    cli::{
        call::Client,
        client::{self, Signers},
        output::usage,
        zone,
    },
    config::KeyFile,
    directory::Directory,
    proto,
};

/// Reads the files, and sees to it that the one for rejects can be written, and is none of them.
pub(super) fn read(arguments: &Arguments) -> anyhow::Result<(Mapping, Table)> {
    let mapping = Mapping::read(&arguments.mapping)?;
    let table = Table::read(&arguments.file, &mapping)?;
    if arguments.full {
        table.check_full().map_err(|problem| usage(format!("--full: {problem}")))?;
    }
    if let Some(rejects) = &arguments.rejects {
        check_rejects(rejects, arguments)
            .map_err(|problem| usage(format!("--rejects {}: {problem}", rejects.display())))?;
    }
    Ok((mapping, table))
}

/// What this import reads, and keys, are not overwritten; the rejects of an earlier import are.
fn check_rejects(rejects: &Path, arguments: &Arguments) -> Result<(), String> {
    let Ok(found) = fs::metadata(rejects) else { return Ok(()) };
    if found.is_dir() {
        return Err("it is a folder".to_owned());
    }
    let is_same =
        |file: &PathBuf| fs::metadata(file).is_ok_and(|file| (file.dev(), file.ino()) == (found.dev(), found.ino()));
    if [&arguments.file, &arguments.mapping].into_iter().any(is_same) {
        return Err("the import reads this file itself; name another".to_owned());
    }
    // A pipe or device holds none, and is opened once.
    if found.is_file() && KeyFile::read(rejects).is_ok() {
        return Err("it holds a key; name another".to_owned());
    }
    Ok(())
}

pub(super) async fn connect(arguments: &Arguments) -> anyhow::Result<(Client, Signers, proto::GetStatusResponse)> {
    let mut client = arguments.client.connect().await?;
    let mut signers = arguments.client.signers()?;
    let status = client::status(&mut client).await?;
    signers.bound_validity(status.policy.as_ref());
    Ok((client, signers, status))
}

pub(super) fn directory(
    arguments: &Arguments,
    status: &proto::GetStatusResponse,
    mapping: &Mapping,
) -> anyhow::Result<Directory> {
    let folder = arguments.directory.clone().unwrap_or_else(|| arguments.client.folder().join("directory"));
    let directory = Directory::open(&folder, &status.genesis_leaf_hash, &mapping.source)
        .with_context(|| format!("the directory in {}", folder.display()))?;
    if arguments.dry_run && !directory.pending()?.is_empty() {
        return Err(usage(
            "--dry-run: an import was interrupted, and whether its last sheet was recorded is not known here. Run it again \
             without --dry-run first: nothing is counted twice",
        ));
    }
    Ok(directory)
}

/// Rows in the order of the file; with `full`, before them the records that the file no longer has, so that what they
/// free can be taken by others.
pub(super) fn items(
    mapping: &Mapping,
    table: &Table,
    directory: &Directory,
    full: bool,
) -> anyhow::Result<(Vec<Item>, bool)> {
    let reader = Reader { mapping, table, zone: zone::here(), is_zone_used: Cell::new(false) };
    let operations = mapping.columns.operation.is_some();
    let mut seen: HashMap<[u8; 32], u32> = HashMap::new();
    let mut first_line: HashMap<String, u64> = HashMap::new();
    let mut rows: Vec<Item> = Vec::with_capacity(table.rows.len());
    for (position, line) in table.rows.iter().enumerate() {
        // The same operation twice in one file is two operations: the digest counts which one this is.
        let cells = Sha256::digest(line.cells.join("\u{1f}"));
        let count = seen.entry(cells.into()).or_insert(0);
        let digest: [u8; 32] = Sha256::new().chain_update(cells).chain_update(count.to_be_bytes()).finalize().into();
        *count += 1;
        let mut row = reader.row(line);
        let first = *first_line.entry(row.record.clone()).or_insert(line.number);
        if !operations && first != line.number && row.wish.is_ok() {
            let column = &mapping.columns.record;
            row.wish = Err(format!("{column}: {:?} stands on line {first} already; a record has one row", row.record));
        }
        let applied = operations && directory.applied(&digest)?;
        rows.push(Item::Row { row, digest, position, line: line.number, applied, later: Later::None });
    }
    // What comes later in the file for the same record, from the end.
    let mut later: HashMap<String, Later> = HashMap::new();
    for item in rows.iter_mut().rev() {
        if let Item::Row { row, applied, later: mine, .. } = item {
            let known = later.entry(row.record.clone()).or_insert(Later::None);
            *mine = *known;
            *known = if *applied || *known == Later::CarriedOut { Later::CarriedOut } else { Later::ToDo };
        }
    }
    let is_zone_used = reader.is_zone_used.get();
    if !full {
        return Ok((rows, is_zone_used));
    }
    let present: HashSet<&str> = rows.iter().map(Item::record).collect();
    let gone = directory.records()?.into_iter();
    let gone = gone.filter(|(record, link)| !link.reversed && !present.contains(record.as_str()));
    let mut items: Vec<Item> = gone.map(|(record, _)| Item::Gone { record }).collect();
    items.extend(rows);
    Ok((items, is_zone_used))
}

/// The zone of a source's times that have no offset stays what it was: another machine, or another setting, would move
/// every one of them. Only who names another zone means it.
pub(super) fn keep_zone(directory: &Directory, dry_run: bool) -> anyhow::Result<()> {
    let here = zone::here().map_err(usage)?;
    let here = zone::name(&here);
    match directory.zone()? {
        Some(kept) if kept == here => return Ok(()),
        Some(kept) if !zone::is_named() => {
            return Err(usage(format!(
                "the file names no offset, and this source's times were those of {kept} before, not of {here}: say --zone {kept}, \
                 or --zone {here} if they were wrong"
            )));
        }
        None if !zone::is_named() && !directory.records()?.is_empty() => {
            return Err(usage(format!(
                "the file names no offset, and this source's times were taken for UTC before: say --zone UTC to keep them, or \
                 --zone {here} to have them corrected"
            )));
        }
        Some(_) | None => {}
    }
    if dry_run { Ok(()) } else { Ok(directory.set_zone(&here)?) }
}
