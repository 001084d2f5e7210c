//! `timebank witness`

use std::path::PathBuf;

use super::process;
use crate::{
    folder::defaults,
    format::checkpoint::VerifierKey,
    trust::witness::{self, WitnessFolder},
};
use anyhow::Context;
use tracing_subscriber::filter::LevelFilter;

/// Run a witness for the ledgers of others.
///
/// It cosigns a ledger's checkpoint only where a proof shows that it continues the newest one it cosigned, so that no
/// ledger can show two histories without one of them lacking its cosignature. The first start makes its key. Anybody
/// may ask it: what it answers is public, and every checkpoint is checked against the ledger's key.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank witness --name witness.example.org/york --ledger timebank.example/leeds+7a1f0c3e+AQ...
  timebank witness --data /srv/witness --listen 0.0.0.0:7465 --ledger VKEY --ledger VKEY

Give the verifier key that it prints, and its URL, to the ledgers:
timebank serve --witness URL=VKEY
Keep its data folder: a witness that forgets what it cosigned can be shown another history.")]
pub(crate) struct Arguments {
    /// Data folder [default: `timebank-witness` in your data directory].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Address to listen on.
    #[arg(long, value_name = "HOST:PORT", default_value = defaults::DEFAULT_WITNESS_ADDRESS)]
    listen: String,
    /// A ledger to cosign for: its verifier key, as `timebank serve` printed it at its creation. Repeatable.
    #[arg(long, value_name = "VKEY", required = true)]
    ledger: Vec<VerifierKey>,
    /// First start: the witness's name, a URL without its scheme [default: a random one]. Otherwise: what it has to be.
    #[arg(long)]
    name: Option<String>,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    process::log_to_stderr(LevelFilter::INFO);
    let address = process::listen_address(&arguments.listen)?;
    let data = arguments.data.unwrap_or_else(defaults::default_witness_folder);
    let listener = process::listen(address).await?;
    let folder = WitnessFolder::open(&data, arguments.name.as_deref(), arguments.ledger)
        .with_context(|| format!("the witness in {} was not opened", data.display()))?;
    let mut lines = vec![format!("witness key   {}", folder.key())];
    let sizes = folder.sizes();
    lines.extend(sizes.into_iter().map(|(origin, size)| format!("witness of    {origin}, cosigned up to size {size}")));
    lines.push(format!("serving {} on http://{}", data.display(), listener.local_addr()?));
    process::announce(&lines.join("\n"));
    witness::run(listener, folder, process::shutdown()?).await;
    Ok(())
}
