//! Callers who record sheets one after another, and remember what they were told of each.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use timebank::format::proto::{self, Until};
use tokio::{task::JoinHandle, time::timeout};

use super::{
    server::{Client, PATIENCE},
    town::Town,
};

/// Callers at the same time.
const CALLERS: usize = 16;
/// Every so many of them wait for a checkpoint as well.
const PUBLISHED_EVERY: usize = 4;
/// Every so many of them wait no longer than [`HASTE`].
const HASTY_EVERY: usize = 5;
/// Shorter than most faults last.
const HASTE: Duration = Duration::from_millis(100);
/// Before a caller who got no answer sends the next sheet.
const PAUSE: Duration = Duration::from_millis(10);

/// What a caller knows of a sheet.
pub struct Sent {
    pub sheet: proto::Sheet,
    /// None where no answer came: it may be recorded or not.
    pub receipt: Option<proto::Receipt>,
}

/// Callers at work.
pub struct Load {
    callers: Vec<JoinHandle<()>>,
    sent: Arc<Mutex<Vec<Sent>>>,
    is_over: Arc<AtomicBool>,
}

pub async fn submit(client: &mut Client, sheet: proto::Sheet, until: Until) -> Result<proto::Receipt, tonic::Status> {
    let request = proto::SubmitRequest { sheet: Some(sheet), until: i32::from(until) };
    Ok(client.submit(request).await?.into_inner().receipt.unwrap())
}

impl Load {
    pub fn start(town: &Arc<Town>, client: &Client) -> Self {
        let (sent, is_over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let callers = (0..CALLERS).map(|number| {
            let (town, mut client) = (Arc::clone(town), client.clone());
            let (sent, is_over) = (Arc::clone(&sent), Arc::clone(&is_over));
            let until = if number % PUBLISHED_EVERY == 0 { Until::Published } else { Until::Durable };
            let waits = if number % HASTY_EVERY == 0 { HASTE } else { PATIENCE };
            tokio::spawn(async move {
                while !is_over.load(Ordering::Relaxed) {
                    let sheet = town.minute();
                    let answer = timeout(waits, submit(&mut client, sheet.clone(), until)).await;
                    let receipt = answer.ok().and_then(Result::ok);
                    let is_answered = receipt.is_some();
                    sent.lock().unwrap().push(Sent { sheet, receipt });
                    if !is_answered {
                        tokio::time::sleep(PAUSE).await;
                    }
                }
            })
        });
        Self { callers: callers.collect(), sent, is_over }
    }

    /// Waits for the last answers, and gives what is known.
    pub async fn stop(self) -> Vec<Sent> {
        self.is_over.store(true, Ordering::Relaxed);
        for caller in self.callers {
            caller.await.unwrap();
        }
        std::mem::take(&mut *self.sent.lock().unwrap())
    }
}

/// What sheets became, as far as was looked.
#[derive(Default)]
pub struct Known {
    /// Entries of sheets: one each, or one was counted twice.
    indices: BTreeSet<u64>,
    sheets: usize,
    /// Some of each round, to be sent again at the end.
    kept: Vec<Sent>,
}

/// Sheets of a round that are sent once more at the end.
const KEPT_PER_ROUND: usize = 8;

impl Known {
    /// Sends sheets again, each of which has to get its first receipt. Gives what is lost or changed.
    pub async fn check(&mut self, client: &Client, sent: Vec<Sent>) -> Vec<String> {
        let mut parts: Vec<Vec<Sent>> = (0..CALLERS).map(|_| Vec::new()).collect();
        for (number, sent) in sent.into_iter().enumerate() {
            parts[number % CALLERS].push(sent);
        }
        let callers: Vec<_> = parts.into_iter().map(|part| tokio::spawn(again(client.clone(), part))).collect();
        let (mut faults, mut kept) = (Vec::new(), Vec::new());
        for caller in callers {
            let (part, found) = caller.await.unwrap();
            faults.extend(found);
            for sent in part {
                self.sheets += 1;
                self.indices.extend(sent.receipt.as_ref().map(|receipt| receipt.index));
                kept.push(sent);
            }
        }
        kept.truncate(KEPT_PER_ROUND);
        self.kept.extend(kept);
        faults
    }

    /// Some of all rounds, once more, and the sums.
    pub async fn check_all(&mut self, town: &Town, client: &mut Client) -> Vec<String> {
        let (_, mut faults) = again(client.clone(), std::mem::take(&mut self.kept)).await;
        let balance = town.balance(client).await;
        if self.indices.len() != self.sheets || usize::try_from(balance) != Ok(self.sheets) {
            let entries = self.indices.len();
            faults.push(format!("{} sheets are {entries} entries, and a balance of {balance} min", self.sheets));
        }
        faults
    }
}

async fn again(mut client: Client, sent: Vec<Sent>) -> (Vec<Sent>, Vec<String>) {
    let (mut known, mut faults) = (Vec::with_capacity(sent.len()), Vec::new());
    for Sent { sheet, receipt: first } in sent {
        let answer = timeout(PATIENCE, submit(&mut client, sheet.clone(), Until::Durable)).await;
        match (answer, first) {
            (Ok(Ok(receipt)), first) if first.as_ref().is_none_or(|first| *first == receipt) => {
                known.push(Sent { sheet, receipt: Some(receipt) });
            }
            (answer, first) => faults.push(format!("a sheet with the receipt {first:?} was answered {answer:?}")),
        }
    }
    (known, faults)
}
