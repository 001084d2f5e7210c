//! Those who send sheets: they remember what they were told, send again, race, contradict themselves, and go away.

use std::collections::HashSet;

use tokio::sync::oneshot::{self, error::TryRecvError};

use super::{
    naive::Naive,
    town::{Known, ORIGIN, Town},
    weather::Weather,
};
use crate::{
    engine::{
        log::{Log, MemoryLog},
        sequencer::{Accepted, DecodedSheet, Sequencer, Source, SubmitError},
    },
    format::{
        checkpoint::{self, VerifierKey},
        proto::{self, event::Kind},
        wire,
    },
    ledger::{LogIndex, Rejection, SheetId, SheetTrial},
    merkle::{leaf_hash, verify_inclusion},
};

/// Where an answer will come.
type Answer = oneshot::Receiver<Result<Accepted, SubmitError>>;

/// Where the results of a trial will come, with the last entry that they take into account.
type Trial = oneshot::Receiver<(Vec<SheetTrial>, u64)>;

/// A sheet, and what its author knows of it.
#[derive(Debug)]
struct Sent {
    sheet: proto::Sheet,
    /// Those who wait for an answer; some want a checkpoint and a proof.
    waiting: Vec<Answer>,
    receipt: Option<proto::Receipt>,
    /// The last answer was that a rule refuses it.
    refused: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Clients {
    sent: Vec<Sent>,
    trials: Vec<Trial>,
    pub(super) known: Known,
}

/// One of those that there are, by its number.
fn any(count: usize, random: &mut fastrand::Rng) -> Option<usize> {
    (count > 0).then(|| random.usize(0..count))
}

impl Clients {
    /// Somebody does something, if the service takes it. What it was.
    pub(super) fn act(
        &mut self,
        town: &mut Town,
        (sequencer, now): (&Sequencer, i64),
        random: &mut fastrand::Rng,
    ) -> Result<&'static str, String> {
        match random.u8(0..14) {
            0..7 => {
                let sheet = town.sheet(now, &self.known, random);
                self.send_new(sheet, sequencer, random)?;
                Ok("a sheet is sent")
            }
            7..11 => match any(self.sent.len(), random) {
                Some(number) => self.send(number, sequencer, random.bool()).map(|()| "a sheet is sent again"),
                None => Ok("nothing"),
            },
            11 => {
                let number = any(self.sent.len(), random);
                if let Some(sent) = number.and_then(|number| self.sent.get_mut(number)) {
                    sent.waiting.clear();
                }
                Ok("somebody goes away")
            }
            12 => {
                let known = any(self.sent.len(), random).and_then(|number| self.sent.get(number));
                let header = known.and_then(|sent| header(&sent.sheet));
                // Its author's own key: nobody else's sheet would have that id.
                if let Some(header) = header.filter(|header| town.is_by_staff(header))
                    && let Ok(id) = header.sheet_id.as_ref().try_into()
                {
                    let sheet = town.contradiction(SheetId(id), now, random);
                    self.send_new(sheet, sequencer, random)?;
                }
                Ok("two sheets have one id")
            }
            _ => {
                let sheet = town.sheet(now, &self.known, random);
                let decoded = wire::decode(&sheet).map_err(|refusal| refusal.to_string())?;
                let tried = sequencer.try_now(Source(0), vec![decoded]);
                self.trials.push(tried.map_err(|error| format!("a trial is refused: {error}"))?);
                Ok("a sheet is tried")
            }
        }
    }

    fn send_new(
        &mut self,
        sheet: proto::Sheet,
        sequencer: &Sequencer,
        random: &mut fastrand::Rng,
    ) -> Result<(), String> {
        self.sent.push(Sent { sheet, waiting: Vec::new(), receipt: None, refused: false });
        self.send(self.sent.len() - 1, sequencer, random.bool())
    }

    fn send(&mut self, number: usize, sequencer: &Sequencer, published: bool) -> Result<(), String> {
        let Some(sent) = self.sent.get_mut(number) else { return Ok(()) };
        let sheet = DecodedSheet::new(sent.sheet.clone()).map_err(|refusal| refusal.to_string())?;
        let source = Source(number as u64 % 3);
        let answer = sequencer.submit_now(source, sheet, published);
        sent.waiting.push(answer.map_err(|error| format!("sheet {number} is not taken: {error}"))?);
        Ok(())
    }

    /// Sends again whatever nobody has a receipt for, and nobody waits for.
    pub(super) fn send_rest(&mut self, sequencer: &Sequencer) -> Result<(), String> {
        for number in 0..self.sent.len() {
            let rest = self.sent.get(number).is_some_and(|sent| sent.waiting.is_empty() && sent.receipt.is_none());
            if rest {
                self.send(number, sequencer, true)?;
            }
        }
        Ok(())
    }

    /// The writer has ended: whoever still waits hears nothing more.
    pub(super) fn forget_waiting(&mut self) {
        self.sent.iter_mut().for_each(|sent| sent.waiting.clear());
        self.trials.clear();
    }

    /// How many wait for an answer.
    pub(super) fn waiting(&self) -> usize {
        self.sent.iter().map(|sent| sent.waiting.len()).sum::<usize>() + self.trials.len()
    }

    /// Receipts that were given, each for the entry that it names.
    pub(super) fn receipts(&self) -> impl Iterator<Item = &proto::Receipt> {
        self.sent.iter().filter_map(|sent| sent.receipt.as_ref())
    }

    /// Takes the answers that have come, and holds them against the log.
    pub(super) fn hear(
        &mut self,
        (log, naive): (&MemoryLog, &Naive),
        vkey: &VerifierKey,
        weather: &mut Weather,
    ) -> Result<(), String> {
        self.hear_trials(log, weather)?;
        for (number, sent) in self.sent.iter_mut().enumerate() {
            let mut still_waiting = Vec::new();
            for mut answer in sent.waiting.drain(..) {
                let heard = match answer.try_recv() {
                    Err(TryRecvError::Empty) => {
                        still_waiting.push(answer);
                        continue;
                    }
                    Err(TryRecvError::Closed) => continue,
                    Ok(heard) => heard,
                };
                let said = match heard {
                    Ok(accepted) => {
                        check_accepted(&accepted, &sent.sheet, (log, naive), vkey)
                            .map_err(|problem| format!("sheet {number}: {problem}"))?;
                        let receipt = accepted.receipt;
                        if sent.receipt.as_ref().is_some_and(|first| *first != receipt) {
                            return Err(format!("sheet {number} has two receipts: {:?}, {receipt:?}", sent.receipt));
                        }
                        if sent.receipt.is_none() {
                            learn(&mut self.known, &sent.sheet, receipt.index);
                        }
                        let again = sent.receipt.replace(receipt).is_some();
                        if again { "answered again" } else { "acknowledged" }
                    }
                    Err(SubmitError::NotPublished { index }) => {
                        check_is_there(&sent.sheet, index, log)
                            .map_err(|problem| format!("sheet {number}: {problem}"))?;
                        "recorded, and not published yet"
                    }
                    Err(SubmitError::Refused(refusal)) => {
                        if sent.receipt.is_some() {
                            return Err(format!("sheet {number} was acknowledged, and is refused: {refusal}"));
                        }
                        sent.refused = true;
                        if let Rejection::SheetExistsWithDifferentBytes { index: LogIndex(index) } = refusal.rejection
                            && index >= log.size()
                        {
                            return Err(format!("sheet {number}: an entry is named that may be lost: {refusal}"));
                        }
                        "refused by a rule"
                    }
                    Err(
                        error @ (SubmitError::ShuttingDown | SubmitError::QueueFull { .. } | SubmitError::Clock(_)),
                    ) => {
                        return Err(format!("sheet {number} gets an answer out of place: {error}"));
                    }
                };
                weather.happened(said);
            }
            sent.waiting = still_waiting;
        }
        Ok(())
    }

    fn hear_trials(&mut self, log: &MemoryLog, weather: &mut Weather) -> Result<(), String> {
        let mut still_waiting = Vec::new();
        for mut trial in self.trials.drain(..) {
            match trial.try_recv() {
                Err(TryRecvError::Empty) => still_waiting.push(trial),
                Err(TryRecvError::Closed) => {}
                Ok((_, index)) if index >= log.size() => {
                    return Err(format!("a trial takes entry {index} into account, which may be lost"));
                }
                Ok(_) => weather.happened("a trial is answered"),
            }
        }
        self.trials = still_waiting;
        Ok(())
    }

    /// At the end nobody is without an answer, and what was refused isn't there.
    pub(super) fn check_end(&self, log: &MemoryLog) -> Result<(), String> {
        let unanswered = self.sent.iter().position(|sent| sent.receipt.is_none() && !sent.refused);
        if let Some(number) = unanswered {
            return Err(format!("sheet {number} was never answered"));
        }
        let entries = log.entries(0, usize::MAX).map_err(|error| error.to_string())?;
        let recorded: HashSet<&[u8]> = entries.iter().map(|entry| entry.header.as_ref()).collect();
        let is_recorded = |sent: &Sent| recorded.contains(sent.sheet.header.as_ref());
        let both = self.sent.iter().position(|sent| sent.refused && sent.receipt.is_none() && is_recorded(sent));
        both.map_or(Ok(()), |number| Err(format!("sheet {number} was refused, and is recorded")))
    }
}

fn header(sheet: &proto::Sheet) -> Option<proto::SheetHeader> {
    prost::Message::decode(sheet.header.clone()).ok()
}

fn check_is_there(sheet: &proto::Sheet, index: u64, log: &MemoryLog) -> Result<(), String> {
    let entry = log.entry(index).ok().flatten();
    let is_there = entry.is_some_and(|entry| entry.header == sheet.header && entry.events == sheet.events);
    if is_there { Ok(()) } else { Err(format!("it was acknowledged as entry {index}, and is not there")) }
}

/// An acknowledged sheet is in the log, did what the receipt says, and is under the checkpoint that came with it.
fn check_accepted(
    accepted: &Accepted,
    sheet: &proto::Sheet,
    (log, naive): (&MemoryLog, &Naive),
    vkey: &VerifierKey,
) -> Result<(), String> {
    let receipt = &accepted.receipt;
    check_is_there(sheet, receipt.index, log)?;
    check_receipt(receipt, naive)?;
    let Some(publication) = &accepted.publication else { return Ok(()) };
    let signed = checkpoint::open(publication.checkpoint.as_bytes(), vkey, ORIGIN)
        .map_err(|error| format!("its checkpoint is none: {error}"))?;
    let root = signed.root_hash().map_err(|error| error.to_string())?;
    if naive.after(signed.size).is_none_or(|(own, _)| *own != root) {
        return Err(format!("its checkpoint over {} entries is not over this log", signed.size));
    }
    let entry = log.entry(receipt.index).ok().flatten().ok_or("its entry is not there")?;
    let proof = publication.inclusion_proof.iter().map(|hash| hash.as_ref().try_into());
    let proof = proof.collect::<Result<Vec<[u8; 32]>, _>>().map_err(|_short| "a hash of its proof is no hash")?;
    verify_inclusion(&leaf_hash(&entry.leaf()), receipt.index, signed.size, &proof, &root)
        .map_err(|error| format!("its proof does not verify: {error}"))
}

/// Postings of an event sum to zero, and the last one of each account leads to the balance that the bytes lead to.
pub(super) fn check_receipt(receipt: &proto::Receipt, naive: &Naive) -> Result<(), String> {
    let (_, book) = naive.after(receipt.index + 1).ok_or("its receipt is for an entry that is not there")?;
    let mut last = std::collections::BTreeMap::new();
    for event in &receipt.events {
        if event.postings.iter().map(|posting| posting.minutes).sum::<i64>() != 0 {
            return Err(format!("its postings don't sum to zero: {:?}", event.postings));
        }
        last.extend(event.postings.iter().map(|posting| (&posting.account, posting.balance_after_minutes)));
    }
    let wrong = last.iter().find(|(account, balance)| {
        let known = account.as_ref().try_into().ok().and_then(|id: [u8; 16]| book.get(&id));
        known.is_none_or(|known| known.balance != **balance)
    });
    wrong.map_or(Ok(()), |(account, balance)| {
        Err(format!("its receipt says that {account:?} had {balance} min after it: {receipt:?}"))
    })
}

/// What later sheets may refer to.
fn learn(known: &mut Known, sheet: &proto::Sheet, index: u64) {
    for (number, bytes) in (0..).zip(&sheet.events) {
        let event: Option<proto::Event> = prost::Message::decode(bytes.clone()).ok();
        match event.and_then(|event| event.kind) {
            Some(Kind::ServiceRecorded(proto::ServiceRecorded { service: Some(service), hold: None })) => {
                known.records.push(((index, number), service));
            }
            Some(Kind::HoldPlaced(placed)) => known.holds.push(((index, number), placed)),
            _ => {}
        }
    }
}
