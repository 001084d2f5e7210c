//! `timebank key`

use std::path::PathBuf;

use serde_json::json;

use super::{
    call::answer,
    client::ClientArguments,
    language::said,
    offline::{More, Session},
    output::{emit, quoted, table, tell, usage},
    who::AccountName,
};
use crate::{
    access::names,
    access::names::head,
    engine::{
        key_file::{KeyFile, KeyFileError},
        store::read_text,
    },
    format::{
        proto::{self, event::Kind},
        wire,
    },
    ledger::{AccountId, Language, Text},
};

/// Make, show, enrol, revoke and list keys.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank key new alice.key                          a new key for the ledger at --server
  timebank key new alice.key --origin timebank.example.org/leeds    the same without a server
  timebank key enrol alice.key --role resident --account 91ab...
  timebank key prove alice.key > alice.request        what the owner of a key sends to be enrolled
  timebank key enrol alice.request --role resident --account 91ab...
  timebank key enrol --public-key 3b6a... --possession 77c0... --role staff --account 6f0c...
  timebank key revoke 5e1d...")]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
    #[command(subcommand)]
    action: Action,
}

/// Roles that a key can be enrolled with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Role {
    /// Runs the ledger.
    Operator,
    /// Staff of a station.
    Staff,
    /// Owner of an account.
    Resident,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Make a key file that only you can read.
    New {
        /// Where to write the key file.
        file: PathBuf,
        /// The ledger it is for; not given: the server is asked.
        #[arg(long)]
        origin: Option<String>,
    },
    /// Show a key file's public half.
    Show {
        /// The key file.
        file: PathBuf,
    },
    /// Show public key and possession proof of a key file: all that its owner has to send to be enrolled.
    Prove {
        /// The key file.
        file: PathBuf,
    },
    /// Enrol a key, by what its owner sent, or by a key file of your own.
    Enrol {
        /// What `timebank key prove` printed of the key, kept in a file; or the key file itself.
        #[arg(required_unless_present = "public_key")]
        file: Option<PathBuf>,
        /// Public key, 64 hex digits.
        #[arg(long, requires = "possession", conflicts_with = "file")]
        public_key: Option<String>,
        /// Possession proof, 128 hex digits.
        #[arg(long)]
        possession: Option<String>,
        /// What it may do.
        #[arg(long, value_enum)]
        role: Role,
        /// The station (staff) or the account (resident) that it acts for.
        #[arg(long, value_name = "ACCOUNT")]
        account: Option<AccountName>,
        /// Staff and operators: the person's own account, which they can't credit.
        #[arg(long, value_name = "ACCOUNT")]
        own_account: Option<AccountName>,
    },
    /// Revoke a key. What it signed before stays valid.
    Revoke {
        /// Its id, 32 hex digits.
        key_id: String,
    },
    /// List enrolled keys.
    List {
        /// Only those that act for this account or station.
        #[arg(long, value_name = "ACCOUNT")]
        account: Option<AccountName>,
    },
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let client = &arguments.client;
    match arguments.action {
        Action::New { file, origin } => new(client, &file, origin).await,
        Action::Show { file } => show(client, &read(&file)?),
        Action::Prove { file } => prove(client, &read(&file)?),
        Action::Enrol { file, public_key, possession, role, account, own_account } => {
            let (public_key, possession) = match file {
                Some(file) => proof(client, &file).await?,
                None => (
                    bytes(public_key.as_deref(), "--public-key", 32)?,
                    bytes(possession.as_deref(), "--possession", 64)?,
                ),
            };
            let role = match role {
                Role::Operator => proto::KeyRole::Operator,
                Role::Staff => proto::KeyRole::Staff,
                Role::Resident => proto::KeyRole::Resident,
            };
            let mut session = Session::online(client).await?;
            let id = |account: Option<AccountId>| account.map(|id| id.0.to_vec().into()).unwrap_or_default();
            let event = proto::KeyEnrolled {
                public_key: public_key.into(),
                possession: possession.into(),
                role: i32::from(role),
                account: id(session.optional("--account", account.as_ref()).await?),
                own_account: id(session.optional("--own-account", own_account.as_ref()).await?),
            };
            session.end(vec![Kind::KeyEnrolled(event)], &More::default()).await
        }
        Action::Revoke { key_id } => {
            let key_id = bytes(Some(&key_id), "KEY_ID", 16)?;
            let event = proto::KeyRevoked { key_id: key_id.into() };
            Session::online(client).await?.end(vec![Kind::KeyRevoked(event)], &More::default()).await
        }
        Action::List { account } => list(client, account.as_ref()).await,
    }
}

fn read(file: &std::path::Path) -> anyhow::Result<KeyFile> {
    KeyFile::read(file).map_err(|error| usage(error.to_string()))
}

fn bytes(text: Option<&str>, name: &str, length: usize) -> anyhow::Result<Vec<u8>> {
    let text = text.unwrap_or_default();
    let bytes = hex::decode(text).ok().filter(|bytes| bytes.len() == length);
    bytes.ok_or_else(|| {
        let (digits, found) = (length * 2, text.chars().count());
        usage(format!("{name} {text}: expected {digits} hex digits, not {found} characters"))
    })
}

async fn new(arguments: &ClientArguments, file: &std::path::Path, origin: Option<String>) -> anyhow::Result<()> {
    let origin = match origin {
        Some(origin) => origin,
        None => super::client::status(&mut arguments.connect().await?).await?.origin,
    };
    let key = KeyFile::generate(&origin);
    key.create(file).map_err(|error| usage(error.to_string()))?;
    let (value, text) = shown(&key);
    tell(arguments.json, &value, || {
        format!(
            "{text}\nmade {}: keep it to yourself. To be enrolled, send what `timebank key prove {}` prints",
            file.display(),
            quoted(file)
        )
    });
    Ok(())
}

fn show(arguments: &ClientArguments, file: &KeyFile) -> anyhow::Result<()> {
    let (value, text) = shown(file);
    emit(arguments.json, &value, || text)
}

/// The public half of a key, for programs and for people.
fn shown(file: &KeyFile) -> (serde_json::Value, String) {
    let (id, public_key) = (file.key.key_id().to_string(), hex::encode(file.key.public_key()));
    let value = json!({"key_id": id, "public_key": public_key, "origin": file.origin});
    (value, format!("key id      {id}\npublic key  {public_key}\nledger      {}", file.origin))
}

fn prove(arguments: &ClientArguments, file: &KeyFile) -> anyhow::Result<()> {
    if file.origin.is_empty() {
        return Err(usage("the key file names no ledger. Make it with `timebank key new --origin ORIGIN`"));
    }
    let public_key = hex::encode(file.key.public_key());
    let possession = hex::encode(file.key.prove_possession(&file.origin));
    let value = json!({"public_key": public_key, "possession": possession, "origin": file.origin});
    emit(arguments.json, &value, || format!("--public-key {public_key} --possession {possession}"))
}

/// Public key and possession proof out of a file: what `key prove` printed, or a key file.
async fn proof(arguments: &ClientArguments, path: &std::path::Path) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
    let text = read_text(path).map_err(|error| usage(format!("{}: {error}", path.display())))?;
    if let Some((public_key, possession)) = request(&text) {
        let within = |error: anyhow::Error| usage(format!("{}: {error}", path.display()));
        let public_key = bytes(Some(&public_key), "--public-key", 32).map_err(within)?;
        return Ok((public_key, bytes(Some(&possession), "--possession", 64).map_err(within)?));
    }
    let neither = |error: KeyFileError| {
        if matches!(error, KeyFileError::Invalid { .. }) {
            return usage(format!(
                "{}: neither a key file nor what `timebank key prove` prints of one",
                path.display()
            ));
        }
        usage(error.to_string())
    };
    let file = KeyFile::read(path).map_err(neither)?;
    let origin = if file.origin.is_empty() {
        super::client::status(&mut arguments.connect().await?).await?.origin
    } else {
        file.origin
    };
    Ok((file.key.public_key().to_vec(), file.key.prove_possession(&origin).to_vec()))
}

/// Public key and possession proof as `key prove` prints them, for people or as JSON, whatever a mail program or editor put
/// around them.
fn request(text: &str) -> Option<(String, String)> {
    let text = text.trim_start_matches('\u{feff}');
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(text) {
        let field = |name: &str| Some(value.get(name)?.as_str()?.to_owned());
        return field("public_key").zip(field("possession"));
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let ["--public-key", public_key, "--possession", possession] = words.as_slice() else { return None };
    Some(((*public_key).to_owned(), (*possession).to_owned()))
}

fn role_name(role: i32) -> Text {
    wire::key_role(role).map_or(names::UNKNOWN, names::role)
}

async fn list(arguments: &ClientArguments, account: Option<&AccountName>) -> anyhow::Result<()> {
    let mut client = arguments.connect().await?;
    let mut who = arguments.who(&client).await?;
    let account = who.optional("--account", account).await?;
    let (mut keys, mut cursor) = (Vec::new(), String::new());
    loop {
        let account = account.map(|account| account.0.to_vec().into()).unwrap_or_default();
        let request = proto::ListKeysRequest { account, page_size: 1_000, cursor };
        let page = answer(client.list_keys(request)).await?;
        keys.extend(page.keys);
        cursor = page.next_cursor;
        if cursor.is_empty() {
            break;
        }
    }
    let key_json = |key: &proto::Key| {
        json!({
            "key_id": hex::encode(&key.key_id),
            "public_key": hex::encode(&key.public_key),
            "role": role_name(key.role).get(Language::English),
            "account": hex::encode(&key.account),
            "revoked": key.revoked,
        })
    };
    let value = json!({ "keys": keys.iter().map(key_json).collect::<Vec<_>>() });
    emit(arguments.json, &value, || {
        let row = |key: &proto::Key| {
            let account = if key.account.is_empty() { String::new() } else { who.label(&key.account) };
            vec![hex::encode(&key.key_id), said(&role_name(key.role)), account, said(&names::key_state(key.revoked))]
        };
        table(&[head::KEY, head::ROLE, head::ACTS_FOR, head::STATE], &[], keys.iter().map(row))
    })
}
