//! `timebank account`

use serde_json::{Value, json};

use super::{
    arguments::{account_id, whole_minutes},
    call::{Client, answer},
    client::ClientArguments,
    language::said,
    offline::{More, Session},
    output::{Failure, emit, hours, table, tell, usage},
    receipt::receipt_json,
    who::{AccountName, Who, kind_name, short},
};
use crate::{
    access::names::head,
    format::{
        proto::{self, event::Kind},
        signature,
    },
    ledger::{AccountId, Language},
};

/// Open, show and list accounts.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank account open --station 6f0c11ab           a resident's account
  timebank account open --kind community-pool --region leeds
  timebank account list --kind resident
  timebank account floor 91ab2c3d --minutes -600      may go 10 hours below zero")]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    #[command(subcommand)]
    action: Action,
}

/// Kinds of accounts that can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kinds {
    /// One person.
    Resident,
    /// A couple or household that shares one balance.
    Household,
    /// People who are not told apart.
    Group,
    /// A volunteer station.
    Station,
    /// The pool of a community.
    CommunityPool,
    /// The pool of a district.
    DistrictPool,
}

impl Kinds {
    pub(crate) const fn message(self) -> proto::AccountKind {
        match self {
            Self::Resident => proto::AccountKind::Resident,
            Self::Household => proto::AccountKind::Household,
            Self::Group => proto::AccountKind::Group,
            Self::Station => proto::AccountKind::Station,
            Self::CommunityPool => proto::AccountKind::CommunityPool,
            Self::DistrictPool => proto::AccountKind::DistrictPool,
        }
    }
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Open an account under a fresh random id.
    Open {
        /// What kind.
        #[arg(long, value_enum, default_value = "resident")]
        kind: Kinds,
        /// Residents, households, groups: the station that serves them.
        #[arg(long, value_name = "ACCOUNT")]
        station: Option<AccountName>,
        /// Stations and pools: the region.
        #[arg(long)]
        region: Option<String>,
        /// Its id, 32 hex digits, where something names it already: the overflow pool of a policy [default: random].
        #[arg(long, value_parser = account_id)]
        id: Option<AccountId>,
    },
    /// Show an account.
    Show {
        /// Its id, 6 or more of its first digits, or what an import calls it.
        account: AccountName,
    },
    /// List accounts in the order they were opened.
    List {
        /// Only this kind.
        #[arg(long, value_enum)]
        kind: Option<Kinds>,
        /// Only those that this station serves.
        #[arg(long, value_name = "ACCOUNT")]
        station: Option<AccountName>,
    },
    /// Set how far below zero an account may go.
    Floor {
        /// Its id, 6 or more of its first digits, or what an import calls it.
        account: AccountName,
        /// 0 or negative.
        #[arg(long, value_parser = whole_minutes, allow_hyphen_values = true)]
        minutes: i64,
    },
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let client = &arguments.client;
    match arguments.action {
        Action::Open { kind, station, region, id } => {
            let serves = matches!(kind, Kinds::Resident | Kinds::Household | Kinds::Group);
            match (serves, &station, &region) {
                (true, None, _) => Err(usage("--station is missing: which one serves this account?")),
                (false, _, None) => Err(usage("--region is missing: where is it?")),
                _ => open(client, kind.message(), region, station, id).await,
            }
        }
        Action::Show { account } => show(client, &account).await,
        Action::List { kind, station } => list(client, kind.map(Kinds::message), station.as_ref()).await,
        Action::Floor { account, minutes } => {
            let mut session = Session::online(client).await?;
            let account = session.account("ACCOUNT", &account).await?;
            let event = proto::FloorSet { account: account.0.to_vec().into(), floor_minutes: minutes };
            session.end(vec![Kind::FloorSet(event)], &More::default()).await
        }
    }
}

/// Opens an account and prints its id.
pub(crate) async fn open(
    arguments: &ClientArguments,
    kind: proto::AccountKind,
    region: Option<String>,
    station: Option<AccountName>,
    id: Option<AccountId>,
) -> anyhow::Result<()> {
    let mut session = Session::online(arguments).await?;
    let station = session.optional("--station", station.as_ref()).await?;
    let account = id.map_or_else(signature::random, |id| id.0);
    let event = proto::AccountOpened {
        account: account.to_vec().into(),
        kind: i32::from(kind),
        region: region.unwrap_or_default(),
        station: station.map(|station| station.0.to_vec().into()).unwrap_or_default(),
    };
    let response = session.record(vec![Kind::AccountOpened(event)]).await;
    let id = hex::encode(account);
    let response = response.map_err(|error| match error.downcast_ref() {
        // Whoever sends the sheet again wants to know what it opens.
        Some(Failure::Unknown { .. }) => error.context(format!("account {id}")),
        _ => error,
    })?;
    let mut value = receipt_json(&response);
    value["account"] = json!(id);
    tell(arguments.json, &value, || id.clone());
    Ok(())
}

fn account_json(account: &proto::Account) -> Value {
    json!({
        "account": hex::encode(&account.account),
        "kind": kind_name(account.kind).get(Language::English),
        "region": account.region,
        "station": hex::encode(&account.station),
        "balance_minutes": account.balance_minutes,
        "held_minutes": account.held_minutes,
        "available_minutes": account.available_minutes,
        "floor_minutes": account.floor_minutes,
    })
}

async fn show(arguments: &ClientArguments, account: &AccountName) -> anyhow::Result<()> {
    let mut client = arguments.connect().await?;
    let mut who = arguments.who(&client).await?;
    let account = who.account("ACCOUNT", account).await?;
    let request = proto::GetAccountRequest { account: account.0.to_vec().into(), min_index: 0 };
    let response = answer(client.get_account(request)).await?;
    let account = response.account.ok_or_else(|| usage("the server sent no account"))?;
    let mut value = account_json(&account);
    value["reflected_index"] = json!(response.reflected_index);
    emit(arguments.json, &value, || {
        let id = hex::encode(&account.account);
        format!("account {id}\n{}", accounts_table(std::slice::from_ref(&account), &who))
    })
}

/// Ids by their first digits, and what is held only where anything is, so that a row fits a terminal; JSON has all of them.
fn accounts_table(accounts: &[proto::Account], who: &Who) -> String {
    let names = accounts.iter().any(|account| who.name(&account.account).is_some());
    let held = accounts.iter().any(|account| account.held_minutes != 0);
    let rows = accounts.iter().map(|account| {
        let place = if account.station.is_empty() { account.region.clone() } else { who.label(&account.station) };
        let mut cells = vec![short(&account.account)];
        cells.extend(names.then(|| who.name_on_a_line(&account.account).unwrap_or_default()));
        cells.extend([said(&kind_name(account.kind)), place, hours(account.balance_minutes)]);
        cells.extend(held.then(|| hours(account.held_minutes)));
        cells.push(account.available_minutes.map_or_else(String::new, hours));
        cells
    });
    let mut header = vec![head::ACCOUNT];
    header.extend(names.then_some(head::NAME));
    header.extend([head::KIND, head::STATION_OR_REGION]);
    let numbers = header.len();
    header.push(head::BALANCE);
    header.extend(held.then_some(head::HELD));
    header.push(head::AVAILABLE);
    table(&header, &(numbers..header.len()).collect::<Vec<_>>(), rows)
}

/// All accounts of a kind, page by page.
async fn all(
    client: &mut Client,
    kind: Option<proto::AccountKind>,
    station: Option<AccountId>,
) -> anyhow::Result<Vec<proto::Account>> {
    let mut accounts = Vec::new();
    let mut cursor = String::new();
    loop {
        let request = proto::ListAccountsRequest {
            kind: i32::from(kind.unwrap_or(proto::AccountKind::Unspecified)),
            station: station.map(|station| station.0.to_vec().into()).unwrap_or_default(),
            page_size: 1_000,
            cursor,
            min_index: 0,
        };
        let page = answer(client.list_accounts(request)).await?;
        accounts.extend(page.accounts);
        cursor = page.next_cursor;
        if cursor.is_empty() {
            return Ok(accounts);
        }
    }
}

/// Lists accounts.
pub(crate) async fn list(
    arguments: &ClientArguments,
    kind: Option<proto::AccountKind>,
    station: Option<&AccountName>,
) -> anyhow::Result<()> {
    let mut client = arguments.connect().await?;
    let mut who = arguments.who(&client).await?;
    let station = who.optional("--station", station).await?;
    let accounts = all(&mut client, kind, station).await?;
    let json = |account: &proto::Account| {
        let mut value = account_json(account);
        if who.has_names() {
            value["name"] = json!(who.name(&account.account));
        }
        value
    };
    let value = json!({ "accounts": accounts.iter().map(json).collect::<Vec<_>>() });
    emit(arguments.json, &value, || accounts_table(&accounts, &who))
}
