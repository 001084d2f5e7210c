//! `timebank serve`

use std::path::{Path, PathBuf};

use super::{
    checkpoint::{read_note, read_policy as read_witness_policy},
    moment::TypedTime,
    output::{Failure, usage},
    process,
};
use crate::{
    engine::store::{StoreError, read_text},
    folder::{self, Creation, OpenError, OpenOptions, defaults, demo::ORIGIN_PREFIX},
    format::checkpoint::{self, Note, VerifierKey, VerifierKeyError, WitnessKey, policy::WitnessPolicy},
    ledger::{AccountId, Code, Millis, Minutes, Policy, Predecessor, Price, Rounding, Tariff},
    server,
    trust::{audit::Pin, witnesses::Witnesses},
};
use tracing_subscriber::filter::LevelFilter;

/// Run a ledger.
///
/// The first start creates the data folder, three keys and the ledger's genesis, and prints what an auditor pins. Every
/// other start replays what the snapshot doesn't have, and holds the log against its signed checkpoint, before it answers
/// anybody. Older entries are read again, slowly, while it serves.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank serve
  timebank serve --data /srv/timebank --listen 127.0.0.1:7464
  timebank serve --data /srv/timebank --origin timebank.example.org/leeds --policy policy.toml
  timebank serve --data /srv/new --succeed /srv/old/checkpoint
  timebank serve --witness http://witness.example.org:7465=witness.example.org/york+9a3c51d2+BF...")]
pub(crate) struct Arguments {
    /// Data folder [default: `timebank` in your data directory].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Address to listen on. There is no TLS yet, so only this machine's own addresses are taken.
    #[arg(long, value_name = "HOST:PORT", default_value = defaults::DEFAULT_ADDRESS)]
    listen: String,
    /// First start: name of the ledger, a URL without its scheme. Otherwise: what it has to be.
    #[arg(long)]
    origin: Option<String>,
    /// First start: the rules' numbers, from a TOML file.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// First start: carry on the ledger that signed this checkpoint, which lost acknowledged entries; `docs/recovery.md`
    /// says when. The new ledger has keys and an origin of its own, and its genesis names the old one.
    #[arg(long, value_name = "CHECKPOINT")]
    succeed: Option<PathBuf>,
    /// The old ledger's verifier key [default: that of ledger.pin beside the checkpoint].
    #[arg(long, value_name = "VKEY", requires = "succeed")]
    succeed_key: Option<VerifierKey>,
    /// Believe the machine's clock, which should say about this, although it is far from the log's newest entry.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    accept_clock: Option<TypedTime>,
    /// A witness that cosigns: where it is, and its verifier key. Repeatable; one cosignature is enough.
    #[arg(long, value_name = "URL=VKEY", value_parser = witness)]
    witness: Vec<(String, WitnessKey)>,
    /// The witnesses, and how many of them are enough, from a file (C2SP tlog-policy, each witness with its URL).
    #[arg(long, value_name = "FILE", conflicts_with = "witness")]
    witness_policy: Option<PathBuf>,
}

fn witness(text: &str) -> Result<(String, WitnessKey), String> {
    // A verifier key ends in base64, which has equals signs of its own.
    let (url, key) = text.split_once('=').ok_or("expected URL=VKEY")?;
    Ok((url.to_owned(), key.parse().map_err(|error: VerifierKeyError| error.to_string())?))
}

fn witnesses(listed: Vec<(String, WitnessKey)>, policy: Option<&PathBuf>) -> anyhow::Result<Option<Witnesses>> {
    let (policy, place) = match policy {
        Some(path) => (read_witness_policy(path)?, path.display().to_string()),
        None if listed.is_empty() => return Ok(None),
        None => {
            let witnesses = listed.into_iter().map(|(url, key)| (key, url));
            (
                WitnessPolicy::any_of(witnesses).map_err(|error| usage(format!("--witness: {error}")))?,
                "--witness".into(),
            )
        }
    };
    Witnesses::new(policy).map(Some).map_err(|error| usage(format!("{place}: {error}")))
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    process::log_to_stderr(LevelFilter::INFO);
    process::make_private();
    let address = process::listen_address(&arguments.listen)?;
    if !server::is_loopback(&address) {
        return Err(usage(format!(
            "--listen {address}: other machines could read everybody's account, as there is neither TLS nor a check of \
             who reads yet. Listen on 127.0.0.1 and let others in through an SSH tunnel"
        )));
    }
    let accept_clock = arguments.accept_clock.as_ref().map(|time| time.begins("--accept-clock")).transpose()?;
    let folder = arguments.data.unwrap_or_else(defaults::default_folder);
    let policy = arguments.policy.as_deref().map(read_policy).transpose()?;
    let predecessor = arguments.succeed.as_deref().map(|file| predecessor(file, arguments.succeed_key)).transpose()?;
    let options = OpenOptions {
        predecessor,
        folder: folder.clone(),
        origin: arguments.origin,
        policy,
        accept_clock: accept_clock.map(|moment| Millis(moment.ms)),
        witnesses: witnesses(arguments.witness, arguments.witness_policy.as_ref())?,
    };
    process::start_threads()?;
    let listener = process::listen(address).await?;
    let (ledger, creation) = tokio::task::spawn_blocking(move || folder::open(&options))
        .await?
        .map_err(|error| not_opened(&folder, error))?;
    if let Some(creation) = creation {
        process::announce(&created(&creation));
    }
    if ledger.ledger_vkey().starts_with(ORIGIN_PREFIX) {
        process::announce(
            "this ledger was made by `timebank demo`: its keys are no secret, nothing in it is to be taken for real",
        );
    }
    let address = listener.local_addr()?;
    let serving = || process::announce(&format!("serving {} on http://{address}", folder.display()));
    server::run(listener, ledger, serving, process::shutdown()?).await?;
    Ok(())
}

/// Why a ledger is not served. That another process has it passes, and a clock is set or vouched for.
fn not_opened(folder: &Path, error: OpenError) -> anyhow::Error {
    let what = format!("the ledger in {} was not opened", folder.display());
    if matches!(error, OpenError::Clock(_) | OpenError::Store(StoreError::InUse { .. })) {
        return Failure::NotNow(format!("{what}: {error}")).into();
    }
    anyhow::Error::from(error).context(what)
}

/// The ledger that signed a checkpoint, with its signature.
fn predecessor(file: &Path, key: Option<VerifierKey>) -> anyhow::Result<Predecessor> {
    let place = format!("--succeed {}", file.display());
    let wrong = |problem: &dyn std::fmt::Display| usage(format!("{place}: {problem}"));
    let beside = || Pin::read(&file.with_file_name("ledger.pin")).map(|pin| pin.ledger_key);
    let key = key.map_or_else(beside, Ok);
    let key = key.map_err(|error| wrong(&format!("give the old ledger's key with --succeed-key: {error}")))?;
    let text = read_note(file)?;
    let checkpoint = checkpoint::open(text.as_bytes(), &key, key.name()).map_err(|error| wrong(&error))?;
    let note = Note::parse(text.as_bytes()).map_err(|error| wrong(&error))?;
    let lines = note.verify(std::slice::from_ref(&key)).map_err(|error| wrong(&error))?;
    let signature = lines.first().and_then(|line| line.signature.as_slice().try_into().ok());
    Ok(Predecessor {
        root: checkpoint.root_hash().map_err(|error| wrong(&error))?,
        origin: checkpoint.origin,
        size: checkpoint.size,
        ledger_key: *key.public_key(),
        signature: signature.ok_or_else(|| wrong(&"the signature is not one of Ed25519"))?,
    })
}

fn created(creation: &Creation) -> String {
    format!(
        "created a new ledger\n  \
           origin        {}\n  \
           ledger key    {}\n  \
           genesis leaf  {}\n  \
           operator key  {} (only you can read it: keep a copy in a safe place)\n  \
           pin           {}\n\
         An auditor pins the first three: give them the pin now, to be kept where the operator can't change it.",
        creation.pin.ledger_key.name(),
        creation.pin.ledger_key,
        hex::encode(creation.pin.genesis_leaf_hash),
        creation.operator_key.display(),
        creation.pin_file.display(),
    )
}

/// A policy in a file: what is left out is as in the default policy.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    rounding_unit_minutes: Option<u32>,
    roundings: Option<Vec<super::arguments::RoundingName>>,
    floor_minutes: Option<i64>,
    cap_minutes: Option<i64>,
    overflow_pool: Option<String>,
    record_minutes_max: Option<i64>,
    day_minutes_max: Option<i64>,
    age_days_max: Option<u32>,
    validity_days_max: Option<u32>,
    #[serde(default)]
    tariffs: Vec<TariffFile>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct TariffFile {
    category: String,
    minutes_per_hour: Option<u32>,
    fixed_minutes: Option<u32>,
}

fn read_policy(path: &Path) -> anyhow::Result<Policy> {
    let text = read_text(path).map_err(|error| usage(format!("{}: {error}", path.display())))?;
    let file: PolicyFile = toml::from_str(&text).map_err(|error| usage(format!("{}: {error}", path.display())))?;
    let policy = policy_of(file).map_err(|problem| usage(format!("{}: {problem}", path.display())))?;
    match policy.fault() {
        Some((field, expected)) => Err(usage(format!("{}: {field}: expected {expected}", path.display()))),
        None => Ok(policy),
    }
}

fn policy_of(file: PolicyFile) -> Result<Policy, String> {
    let default = Policy::default();
    let cap = match (file.cap_minutes, file.overflow_pool) {
        (None | Some(0), None) => None,
        (Some(minutes), Some(pool)) => {
            let pool: AccountId = super::arguments::account_id(&pool)?;
            Some((Minutes::new(minutes), pool))
        }
        _ => return Err("cap_minutes and overflow_pool go together: 32 hex digits that you open as a pool".to_owned()),
    };
    let tariff = |tariff: TariffFile| {
        let category = Code::new(&tariff.category, 32).ok_or("tariffs.category: 1 to 32 of A-Z a-z 0-9 . _ -")?;
        let price = match (tariff.minutes_per_hour, tariff.fixed_minutes) {
            (Some(minutes), None) => Price::PerHour(minutes),
            (None, Some(minutes)) => Price::Fixed(minutes),
            _ => return Err("tariffs: either minutes_per_hour or fixed_minutes".to_owned()),
        };
        Ok(Tariff { category, price })
    };
    let mut tariffs = file.tariffs.into_iter().map(tariff).collect::<Result<Vec<_>, _>>()?;
    tariffs.sort_by(|a, b| a.category.cmp(&b.category));
    let mut roundings: Vec<Rounding> = file
        .roundings
        .map_or(default.roundings, |names| names.into_iter().map(super::arguments::RoundingName::ledger).collect());
    roundings.sort_unstable();
    roundings.retain(|rounding| *rounding != Rounding::Exact);
    Ok(Policy {
        rules: default.rules,
        rounding_unit_minutes: file.rounding_unit_minutes.unwrap_or(default.rounding_unit_minutes),
        roundings,
        floor: file.floor_minutes.map_or(default.floor, Minutes::new),
        cap,
        record_max: file.record_minutes_max.map_or(default.record_max, Minutes::new),
        day_max: file.day_minutes_max.map_or(default.day_max, Minutes::new),
        age_days_max: file.age_days_max.unwrap_or(default.age_days_max),
        validity_days_max: file.validity_days_max.unwrap_or(default.validity_days_max),
        tariffs,
    })
}
