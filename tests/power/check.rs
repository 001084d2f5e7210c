//! A rebuilt folder, opened by `timebank serve`, and held to all that was told before the power went out.

use std::{
    collections::BTreeSet,
    path::Path,
    process::{Child, Command, Stdio},
};

use timebank::{
    format::{
        checkpoint::{self, Checkpoint, VerifierKey},
        proto::{self, Until, ledger_service_client::LedgerServiceClient},
        wire::StoredEntry,
    },
    merkle::{Frontier, Hash, leaf_hash},
};

use super::{
    life::{Client, DATA, serving},
    told::Told,
    town::Town,
};

/// What a state has to have, and may have.
#[derive(Debug)]
pub struct Expected<'a> {
    pub told: Vec<&'a Told>,
    /// All that were ever sent: nothing else may be in the log.
    pub sheets: &'a [proto::Sheet],
}

/// What became of a start. It is never refused: a first start that was cut off is gone on with, or begun anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It serves all that was told, and took one more sheet.
    Opened,
    /// Nothing had been told, and it made a new ledger, which took a sheet.
    Begun,
}

/// A server, killed when it goes.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may be dead already.
        let _dead = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// The program, for a folder that was rebuilt.
pub fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_timebank"));
    for setting in ["TIMEBANK_SERVER", "TIMEBANK_KEY", "TIMEBANK_ZONE", "TIMEBANK_LANG"] {
        command.env_remove(setting);
    }
    command.args(arguments).env("LC_ALL", "C.UTF-8").stdin(Stdio::null());
    command
}

/// Starts a server on a folder that a power cut left, and holds it to what was told.
///
/// # Errors
/// What is lost, changed or contradicted; a refusal.
pub async fn check(root: &Path, expected: &Expected<'_>) -> Result<Outcome, String> {
    let (folder, words) = (root.join(DATA), root.join("words"));
    held(&folder, &expected.told)?;
    let mut command = program(&["serve", "--listen", "127.0.0.1:0", "--data"]);
    command.arg(&folder).stdout(Stdio::piped()).stderr(std::fs::File::create(&words).unwrap());
    let mut server = Server(command.spawn().unwrap());
    let Some(url) = serving(&mut server.0) else {
        let words = std::fs::read_to_string(&words).unwrap();
        return Err(format!("it didn't start: {}", words.lines().last().unwrap_or_default()));
    };
    let mut client = LedgerServiceClient::connect(url).await.map_err(|error| error.to_string())?;
    let held = hold(&mut client, expected, &folder).await;
    held.map_err(|problem| {
        let words = std::fs::read_to_string(&words).unwrap();
        format!("{problem}\n  the server said: {}", words.lines().last().unwrap_or("nothing"))
    })
}

/// That the newest checkpoint that was given to anybody, or a newer one, is the stored one: the log has to reach it.
fn held(folder: &Path, told: &[&Told]) -> Result<(), String> {
    let size = |note: &str| Checkpoint::unverified(note.as_bytes()).map_or(0, |checkpoint| checkpoint.size);
    let given =
        told.iter().map(|told| if let Told::Published(note) = told { size(note) } else { 0 }).max().unwrap_or(0);
    let held = size(&std::fs::read_to_string(folder.join("checkpoint")).unwrap_or_default());
    if held < given {
        Err(format!("one over {given} was published, and the stored checkpoint is over {held}"))
    } else {
        Ok(())
    }
}

/// A log as a server gives it, with the root after each entry.
struct Served {
    entries: Vec<proto::Entry>,
    roots: Vec<Hash>,
    frontier: Frontier,
    key: VerifierKey,
}

async fn hold(client: &mut Client, expected: &Expected<'_>, folder: &Path) -> Result<Outcome, String> {
    let failed = |status: tonic::Status| status.to_string();
    let status = client.get_status(proto::GetStatusRequest {}).await.map_err(failed)?.into_inner();
    let mut served = Served {
        entries: Vec::new(),
        roots: vec![Frontier::default().root()],
        frontier: Frontier::default(),
        key: status.ledger_vkey.parse().map_err(|error| format!("{error}"))?,
    };
    let mut stream = client.subscribe(proto::SubscribeRequest { from_index: 0 }).await.map_err(failed)?.into_inner();
    for _ in 0..status.size {
        let entry = stream.message().await.map_err(failed)?.and_then(|next| next.entry).ok_or("the entries end")?;
        served.push(entry)?;
    }
    drop(stream);
    for told in &expected.told {
        served.holds(told, expected.sheets)?;
    }
    served.invented(expected.sheets)?;
    let note = client.get_checkpoint(proto::GetCheckpointRequest {}).await.map_err(failed)?.into_inner().checkpoint;
    served.covers(&note)?;
    let sheet = Town::new(folder).region();
    let request = proto::SubmitRequest { sheet: Some(sheet.clone()), until: i32::from(Until::Published) };
    let answer = client.submit(request).await.map_err(failed)?.into_inner();
    let (receipt, publication) = answer.receipt.zip(answer.publication).ok_or("an answer that lacks something")?;
    if receipt.index != status.size {
        return Err(format!("the next sheet became entry {} of a log of {}", receipt.index, status.size));
    }
    let entry = proto::Entry { index: receipt.index, recorded_at_ms: receipt.recorded_at_ms, sheet: Some(sheet) };
    served.push(entry)?;
    served.covers(&publication.checkpoint)?;
    let is_new = expected.told.is_empty() && status.size == 1;
    Ok(if is_new { Outcome::Begun } else { Outcome::Opened })
}

impl Served {
    fn push(&mut self, entry: proto::Entry) -> Result<(), String> {
        let index = entry.index;
        if index != self.entries.len() as u64 {
            return Err(format!("entry {index} is given in place {}", self.entries.len()));
        }
        let stored = StoredEntry::from_message(entry.clone()).ok_or_else(|| format!("entry {index} is none"))?;
        self.frontier.append(leaf_hash(&stored.leaf()), |_| ());
        self.roots.push(self.frontier.root());
        self.entries.push(entry);
        Ok(())
    }

    /// That what was told still holds.
    fn holds(&self, told: &Told, sheets: &[proto::Sheet]) -> Result<(), String> {
        match told {
            Told::Created { vkey, genesis_leaf_hash } => {
                if *vkey != self.key.to_string() {
                    return Err(format!("the ledger's key is {}, and was {vkey}", self.key));
                }
                let found = self.roots.get(1).map(hex::encode);
                (found.as_ref() == Some(genesis_leaf_hash)).then_some(()).ok_or_else(|| "another entry 0".to_owned())
            }
            Told::Recorded { sheet, receipt } => {
                let index = receipt.index;
                let place = usize::try_from(index).ok().and_then(|index| self.entries.get(index));
                let entry = place.ok_or_else(|| {
                    format!("entry {index} was acknowledged, and the log has {} entries", self.entries.len())
                })?;
                let is_same =
                    entry.sheet.as_ref() == sheets.get(*sheet) && entry.recorded_at_ms == receipt.recorded_at_ms;
                is_same.then_some(()).ok_or_else(|| format!("entry {index} isn't what was acknowledged"))
            }
            Told::Published(note) => self.covers(note),
        }
    }

    /// That a checkpoint is over the first entries of this log.
    fn covers(&self, note: &str) -> Result<(), String> {
        let opened = checkpoint::open(note.as_bytes(), &self.key, self.key.name());
        let opened = opened.map_err(|error| format!("a checkpoint: {error}"))?;
        let root = usize::try_from(opened.size).ok().and_then(|size| self.roots.get(size));
        match root {
            None => Err(format!("{} entries were published, and the log has {}", opened.size, self.entries.len())),
            Some(root) if opened.root_hash().ok().as_ref() != Some(root) => {
                Err(format!("the first {} entries aren't those that were published", opened.size))
            }
            Some(_) => Ok(()),
        }
    }

    /// That nothing is in the log that nobody sent.
    fn invented(&self, sheets: &[proto::Sheet]) -> Result<(), String> {
        let sent: BTreeSet<&[u8]> = sheets.iter().map(|sheet| sheet.header.as_ref()).collect();
        let header = |entry: &proto::Entry| entry.sheet.clone().unwrap_or_default().header;
        let found = self.entries.iter().skip(1).find(|entry| !sent.contains(header(entry).as_ref()));
        found.map_or(Ok(()), |entry| Err(format!("entry {} is a sheet that nobody sent", entry.index)))
    }
}
