//! `timebank status`

use serde_json::json;

use super::{
    client::{self, ClientArguments},
    output::{amount, emit, time},
    zone,
};

/// Show what the ledger is and how big.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank status
  timebank status --json")]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let mut client = arguments.client.connect().await?;
    let status = client::status(&mut client).await?;
    // The proto's empty values: no whole pass yet, nothing found.
    let whole = Some(status.scrubbed_at_ms).filter(|ms| *ms != 0);
    let problem = Some(status.scrub_problem.as_str()).filter(|problem| !problem.is_empty());
    let value = json!({
        "origin": status.origin,
        "size": status.size,
        "root": hex::encode(&status.root),
        "accounts": status.accounts,
        "balance_sum": status.balance_sum_minutes,
        "holds": status.holds,
        "postings": status.postings,
        "recorded_at": time(status.recorded_at_ms),
        "checkpoint_size": status.checkpoint_size,
        "ledger_vkey": status.ledger_vkey,
        "genesis_leaf_hash": hex::encode(&status.genesis_leaf_hash),
        "issuance_account": hex::encode(&status.issuance_account),
        "predecessor": status.predecessor.as_ref().map(|old| json!({
            "origin": old.origin,
            "size": old.size,
            "root": hex::encode(&old.root),
        })),
        "scrubbed_to": status.scrubbed_to,
        "scrubbed_at": whole.map(time),
        "scrub_problem": problem,
    });
    let carried_on = status.predecessor.as_ref().map_or_else(String::new, |old| {
        format!("\ncarries on     {}, after {} entries with root {}", old.origin, old.size, hex::encode(&old.root))
    });
    let scrubbed = whole
        .map_or_else(|| "not yet since the service started".to_owned(), |ms| format!("last at {}", zone::local(ms)));
    let damaged = problem.map_or_else(String::new, |problem| format!("\ndamaged        {problem}"));
    emit(arguments.client.json, &value, || {
        format!(
            "origin         {}\nentries        {} (newest recorded at {}; {} under a signed checkpoint)\n\
             root           {}\naccounts       {}\nopen holds     {}\npostings       {}\n\
             balance sum    {}\nledger key     {}\ngenesis leaf   {}\nissuance       {}\n\
             scrubbed       {} of {} entries in this pass; the whole log {scrubbed}{damaged}{carried_on}",
            status.origin,
            status.size,
            zone::local(status.recorded_at_ms),
            status.checkpoint_size,
            hex::encode(&status.root),
            status.accounts,
            status.holds,
            status.postings,
            amount(status.balance_sum_minutes),
            status.ledger_vkey,
            hex::encode(&status.genesis_leaf_hash),
            hex::encode(&status.issuance_account),
            status.scrubbed_to,
            status.size,
        )
    })
}
