//! Rounds of load, in each of which something befalls the server; then all that was sent is sent again.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use timebank::format::proto::Until;
use tokio::time::timeout;

use super::{
    fault::{Fault, Outcome, inflict},
    found::Found,
    load::{Known, Load, Sent, submit},
    server::{PATIENCE, Place, Server, complaint},
    town::Town,
};

/// Longest load before a fault: long enough for some hundred commits, and short enough for many faults.
const LOAD_MS_MAX: u64 = 400;
/// Of so many starts one finds nothing that is derived.
const UNDERIVED_EVERY: u32 = 10;

/// Each kind of fault comes once in as many rounds as there are kinds, in an order that follows from the seed.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub rounds: usize,
    pub seed: u64,
}

struct Campaign {
    rng: Rng,
    place: Place,
    town: Arc<Town>,
    server: Server,
    known: Known,
    found: Found,
}

/// Runs one.
///
/// # Errors
/// What ends it: a server that ends as it may not, doesn't start, doesn't go on.
pub async fn run(options: Options) -> Result<Found, String> {
    let place = Place::new();
    let server = Server::start(&place)?;
    let town = Arc::new(Town::found(&mut server.connect().await?, &place.data()).await);
    let rng = Rng::with_seed(options.seed);
    let mut campaign = Campaign { rng, place, town, server, known: Known::default(), found: Found::default() };
    let mut faults: Vec<Fault> = Vec::new();
    for round in 0..options.rounds {
        if faults.is_empty() {
            faults.extend(Fault::ALL);
            campaign.rng.shuffle(&mut faults);
        }
        let fault = faults.pop().unwrap();
        let ended = campaign.round(fault).await;
        ended.map_err(|problem| format!("round {round}, {}: {problem}", fault.name()))?;
    }
    campaign.end().await
}

impl Campaign {
    async fn round(&mut self, fault: Fault) -> Result<(), String> {
        let load = Load::start(&self.town, &self.server.connect().await?);
        tokio::time::sleep(Duration::from_millis(self.rng.u64(1..LOAD_MS_MAX))).await;
        let outcome = inflict(fault, &mut self.server, &self.place, &mut self.rng).await?;
        let mut probe = None;
        if matches!(outcome, Outcome::WentOn { .. }) {
            // Everybody who waits gets an answer, and so does whoever comes.
            probe = Some(self.goes_on().await?);
        }
        let mut sent = load.stop().await;
        let acknowledged = sent.iter().filter(|sent| sent.receipt.is_some()).count();
        self.found.add(fault, outcome, (acknowledged, sent.len() - acknowledged));
        sent.extend(probe);
        if !matches!(outcome, Outcome::WentOn { .. }) {
            self.start()?;
        }
        let lost = self.known.check(&self.server.connect().await?, sent).await;
        self.found.lose(fault, lost);
        Ok(())
    }

    /// A server after a fault has to record and publish as before.
    async fn goes_on(&mut self) -> Result<Sent, String> {
        let sheet = self.town.minute();
        let probed = async {
            let mut client = self.server.connect().await?;
            let answer = submit(&mut client, sheet.clone(), Until::Published).await;
            answer.map_err(|status| format!("it doesn't go on: {status}"))
        };
        let receipt = timeout(PATIENCE, probed).await.map_err(|_late| "it hangs".to_owned())??;
        Ok(Sent { sheet, receipt: Some(receipt) })
    }

    fn start(&mut self) -> Result<(), String> {
        if self.rng.u32(0..UNDERIVED_EVERY) == 0 {
            // Whatever is derived may be gone as well.
            std::fs::remove_dir_all(self.place.data().join("projections")).unwrap();
        }
        self.server = Server::start(&self.place)?;
        self.found.starts += 1;
        Ok(())
    }

    async fn end(mut self) -> Result<Found, String> {
        let mut client = self.server.connect().await?;
        self.found.faults.extend(self.known.check_all(&self.town, &mut client).await);
        drop(self.server);
        let (data, memory) = (self.place.data(), self.place.beside("memory"));
        self.found.faults.extend(complaint(&["fsck"], &data));
        self.found.faults.extend(complaint(&["audit", "--memory", memory.to_str().unwrap()], &data));
        Ok(self.found)
    }
}
