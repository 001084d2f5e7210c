//! A ledger into which a spreadsheet was imported, and corrected.

use std::{fs, path::Path, process::Command};

use tempfile::TempDir;

use super::server::Ledger;

const MAPPING: &str = r#"
source = "small"
imported = true
account_kind = "resident"
[columns]
record = "id"
volunteer = "person"
station = "place"
date = "day"
minutes = "minutes"
"#;

/// Records 40 rows, then corrects all of them, so that the state puts notes of them away.
pub(crate) fn import(ledger: &Ledger) {
    let inputs = tempfile::tempdir().unwrap();
    let (mapping, file) = (inputs.path().join("mapping.toml"), inputs.path().join("file.csv"));
    fs::write(&mapping, MAPPING).unwrap();
    for (more, what) in [(30, "recorded"), (31, "corrected")] {
        let row =
            |number: usize| format!("{number},p{},s1,2026-01-{:02},{}\n", number % 9, 1 + number % 20, more + number);
        fs::write(&file, format!("id,person,place,day,minutes\n{}", (0..40).map(row).collect::<String>())).unwrap();
        let import = ["import", file.to_str().unwrap(), "--mapping", mapping.to_str().unwrap(), "--open-accounts"];
        assert_eq!(ledger.json(&import)[what], 40);
    }
}

/// Ends a service as its operator ends it, so that there is a snapshot.
pub(crate) fn stop(ledger: &mut Ledger) {
    let id = ledger.server.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    ledger.server.wait().unwrap();
}

pub(crate) fn copied(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    assert!(Command::new("cp").arg("-a").arg(folder.join(".")).arg(copy.path()).status().unwrap().success());
    copy
}
