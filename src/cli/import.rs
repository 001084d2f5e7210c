//! `timebank import`
use super::client::ClientArguments;
/// Import.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    client: ClientArguments,
}
pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let _ = arguments.client.folder();
    Ok(())
}
