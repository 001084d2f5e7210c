//! A data folder with everything in it: sheets of all sizes, a snapshot and entries after it, put-away runs, links of imports,
//! keys, pin, checkpoints, a sheet that was never sent.

use std::{
    fs,
    path::{Path, PathBuf},
};

use prost::Message;
use tempfile::TempDir;
use timebank::format::proto::{self, Until, ledger_service_client::LedgerServiceClient};

use super::{
    begun::begin,
    imported::{import, stop},
    server::Ledger,
    town::Town,
};

/// Events of sheets: one, some, more than a block takes, as many as a sheet may have.
const EVENTS: [usize; 5] = [1, 3, 60, 300, 1_000];
/// Of one event.
const SHEETS: usize = 40;
/// After the snapshot.
const LATER: usize = 8;

pub struct Made {
    pub folder: TempDir,
    /// What was acknowledged, and can be sent again.
    pub acknowledged: Vec<(proto::Sheet, proto::Receipt)>,
}

/// Files of a folder by the kind they are of: numbers and hashes in their names are left out.
pub fn kinds(folder: &Path) -> Vec<(String, PathBuf)> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(inner) = folders.pop() {
        for entry in fs::read_dir(inner).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if fs::metadata(&path).unwrap().len() > 0 {
                let name = path.strip_prefix(folder).unwrap().to_owned();
                found.push((kind(&name.to_string_lossy()), name));
            }
        }
    }
    found.sort();
    found
}

fn kind(name: &str) -> String {
    let steps = name.split('/').map(|step| match step {
        step if step.len() == 16 && step.chars().all(|letter| letter.is_ascii_hexdigit()) => "*".to_owned(),
        step if step.rsplit('.').next() == Some("filter") => format!("{}.*.filter", step.split('.').next().unwrap()),
        step if step.rsplit('.').next() == Some("sheet") => "*.sheet".to_owned(),
        step if ["snap.", "sheets.", "notes."].iter().any(|run| step.starts_with(run)) => {
            format!("{}.*", step.split('.').next().unwrap())
        }
        step => step.to_owned(),
    });
    steps.collect::<Vec<_>>().join("/")
}

impl Made {
    pub async fn new() -> Self {
        let begun = tempfile::tempdir().unwrap();
        begin(begun.path(), jiff::Timestamp::now().as_millisecond());
        let folder = tempfile::tempdir().unwrap();
        fs::remove_dir(folder.path()).unwrap();
        fs::rename(begun.path().join("ledger"), folder.path()).unwrap();
        let mut ledger = Ledger::on_old(folder);
        import(&ledger);
        let home = ledger.folder.path().to_owned();
        let mut acknowledged = Vec::new();
        let town = Town::new(&home);
        let sheets = EVENTS.map(|times| town.minutes(times));
        submit(&ledger, &mut acknowledged, [vec![town.founding()], sheets.to_vec()].concat()).await;
        let minutes: Vec<_> = (0..SHEETS).map(|_| town.minutes(1)).collect();
        submit(&ledger, &mut acknowledged, minutes).await;
        fs::copy(home.join("checkpoint"), home.join("cosigned")).unwrap();
        stop(&mut ledger);
        ledger.restart();
        let minutes: Vec<_> = (0..LATER).map(|_| town.minutes(1)).collect();
        submit(&ledger, &mut acknowledged, minutes).await;
        ledger.kill();
        let unsent = town.minutes(2);
        fs::create_dir(home.join("unsent")).unwrap();
        fs::write(home.join(format!("unsent/{}.sheet", uuid::Uuid::now_v7())), unsent.encode_to_vec()).unwrap();
        let folder = std::mem::replace(&mut ledger.folder, tempfile::tempdir().unwrap());
        Self { folder, acknowledged }
    }
}

async fn submit(ledger: &Ledger, acknowledged: &mut Vec<(proto::Sheet, proto::Receipt)>, sheets: Vec<proto::Sheet>) {
    let mut client = LedgerServiceClient::connect(ledger.url.clone()).await.unwrap();
    let last = sheets.len() - 1;
    for (number, sheet) in sheets.into_iter().enumerate() {
        let until = if number == last { Until::Published } else { Until::Durable };
        let request = proto::SubmitRequest { sheet: Some(sheet.clone()), until: i32::from(until) };
        let receipt = client.submit(request).await.unwrap().into_inner().receipt.unwrap();
        acknowledged.push((sheet, receipt));
    }
}
