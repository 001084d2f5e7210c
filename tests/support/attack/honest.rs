//! The honest client beside an attack: it asks for a balance and submits a new sheet again and again, and newcomers
//! connect. Calls begin by the clock, not when the one before is answered, so that a server that stands still for a second
//! is seen as often as it was called in that second.

use std::{
    collections::BTreeMap,
    error::Error,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use timebank::format::proto::{self, ledger_service_client::LedgerServiceClient};
use tokio::task::JoinSet;
use tonic::{
    Code, Request, Status,
    transport::{Channel, Endpoint},
};

use super::server::Town;

pub type Client = LedgerServiceClient<Channel>;

/// How often a balance is asked for and a sheet submitted.
pub const EVERY: Duration = Duration::from_millis(20);
/// How often somebody new connects: once for so many calls.
const NEWCOMER_EVERY: u32 = 10;
/// Connections of the honest: the server hands its connections to its threads in turn, so each thread has some of these.
const CONNECTIONS: usize = 4;
/// How long an honest call waits: as long as `timebank import` does for a sheet before it tries again.
const DEADLINE: Duration = Duration::from_secs(5);
/// How long after its deadline a call is given up by a client whose server doesn't say that it passed.
const LATE: Duration = Duration::from_secs(1);
/// How long a newcomer who was turned away waits before the next try.
const TRY_AGAIN: Duration = Duration::from_millis(50);

pub async fn connect(address: SocketAddr) -> Result<Client, tonic::transport::Error> {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap().connect_timeout(DEADLINE);
    Ok(LedgerServiceClient::new(endpoint.connect().await?).max_decoding_message_size(64 << 20))
}

/// Delays of one kind of call, ascending once they are complete.
#[derive(Debug, Clone, Default)]
pub struct Delays(Vec<Duration>);

impl Delays {
    pub fn of(delays: impl IntoIterator<Item = Duration>) -> Self {
        let mut delays: Vec<Duration> = delays.into_iter().collect();
        delays.sort_unstable();
        Self(delays)
    }

    pub fn at(&self, hundredth: usize) -> Duration {
        self.0.get((self.0.len() * hundredth / 100).min(self.0.len().saturating_sub(1))).copied().unwrap_or_default()
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// What the honest client saw.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub balances: Delays,
    pub submits: Delays,
    pub newcomers: Delays,
    /// Calls that weren't answered, by what became of them.
    pub failures: BTreeMap<String, usize>,
    /// Tries of newcomers that came to nothing before one that did, by why.
    pub turned_away: BTreeMap<String, usize>,
}

enum Call {
    Balance,
    Submit,
    Newcomer,
}

struct Ended {
    call: Call,
    result: Result<Duration, String>,
    turned_away: Vec<String>,
}

/// An honest client with its connections.
pub struct Honest {
    runtime: tokio::runtime::Runtime,
    address: SocketAddr,
    clients: Vec<Client>,
    town: Arc<Town>,
}

impl Honest {
    pub fn connect(address: SocketAddr, town: &Arc<Town>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let clients = runtime.block_on(async {
            let mut clients = Vec::new();
            for _ in 0..CONNECTIONS {
                clients.push(connect(address).await.unwrap());
            }
            clients
        });
        Self { runtime, address, clients, town: Arc::clone(town) }
    }

    /// Works for so long, and says what it saw.
    pub fn work(&self, length: Duration) -> Seen {
        self.runtime.block_on(async {
            let begun = Instant::now();
            let mut clock = tokio::time::interval(EVERY);
            clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let (mut calls, mut number) = (JoinSet::new(), 0_u32);
            while begun.elapsed() < length {
                clock.tick().await;
                let client = &self.clients[number as usize % CONNECTIONS];
                calls.spawn(balance(client.clone(), self.town.account()));
                calls.spawn(submit(client.clone(), self.town.new_sheet()));
                if number.is_multiple_of(NEWCOMER_EVERY) {
                    calls.spawn(newcomer(self.address, self.town.account()));
                }
                number += 1;
            }
            let mut seen = Seen::default();
            while let Some(ended) = calls.join_next().await {
                seen.add(ended.unwrap());
            }
            seen.complete();
            seen
        })
    }
}

impl Seen {
    fn add(&mut self, ended: Ended) {
        for why in ended.turned_away {
            *self.turned_away.entry(why).or_default() += 1;
        }
        let (name, delays) = match ended.call {
            Call::Balance => ("balance", &mut self.balances),
            Call::Submit => ("submit", &mut self.submits),
            Call::Newcomer => ("newcomer", &mut self.newcomers),
        };
        match ended.result {
            Ok(delay) => delays.0.push(delay),
            Err(why) => *self.failures.entry(format!("{name} {why}")).or_default() += 1,
        }
    }

    fn complete(&mut self) {
        for delays in [&mut self.balances, &mut self.submits, &mut self.newcomers] {
            delays.0.sort_unstable();
        }
    }

    pub fn failed(&self) -> usize {
        self.failures.values().sum()
    }
}

fn with_deadline<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request
}

async fn ask_balance(client: &mut Client, account: bytes::Bytes) -> Result<(), String> {
    let request = with_deadline(proto::GetBalanceRequest { account, min_index: 0, as_of: None });
    answered(client.get_balance(request)).await
}

async fn balance(mut client: Client, account: bytes::Bytes) -> Ended {
    let asked = Instant::now();
    let result = ask_balance(&mut client, account).await;
    Ended { call: Call::Balance, result: result.map(|()| asked.elapsed()), turned_away: Vec::new() }
}

async fn submit(mut client: Client, sheet: proto::Sheet) -> Ended {
    let asked = Instant::now();
    let request = with_deadline(proto::SubmitRequest { sheet: Some(sheet), until: 0 });
    let result = answered(client.submit(request)).await;
    Ended { call: Call::Submit, result: result.map(|()| asked.elapsed()), turned_away: Vec::new() }
}

/// Somebody who connects, is answered and leaves; who is turned away tries again, as long as an honest call waits.
async fn newcomer(address: SocketAddr, account: bytes::Bytes) -> Ended {
    let asked = Instant::now();
    let mut turned_away = Vec::new();
    loop {
        let tried = match tokio::time::timeout(DEADLINE, connect(address)).await {
            Ok(Ok(mut client)) => ask_balance(&mut client, account.clone()).await,
            Ok(Err(error)) => Err(format!("found no connection: {}", innermost(&error))),
            Err(_late) => Err("found no connection in time".to_owned()),
        };
        match tried {
            Ok(()) => return Ended { call: Call::Newcomer, result: Ok(asked.elapsed()), turned_away },
            Err(why) if asked.elapsed() >= DEADLINE => {
                return Ended { call: Call::Newcomer, result: Err(why), turned_away };
            }
            Err(why) => turned_away.push(why),
        }
        tokio::time::sleep(TRY_AGAIN).await;
    }
}

/// Tells an answer from starvation: a deadline that passed, a connection that was cut, or a no.
async fn answered<T>(call: impl Future<Output = Result<T, Status>>) -> Result<(), String> {
    match tokio::time::timeout(DEADLINE + LATE, call).await {
        Ok(Ok(_answer)) => Ok(()),
        Err(_late) => Err("late".to_owned()),
        Ok(Err(status)) => Err(match (status.code(), status.source()) {
            (Code::DeadlineExceeded | Code::Cancelled, _) => "late".to_owned(),
            (_, Some(error)) => format!("cut off: {}", innermost(error)),
            (code, None) => format!("told no: {code:?} {:.60}", status.message()),
        }),
    }
}

fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
