//! What an auditor who verified one history says to another one, whatever kind of source either came from.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Child,
};

use serde_json::Value;
use tempfile::TempDir;
use timebank::format::proto;

use crate::{
    audit::{audit, copy, export, text, timebank},
    harness::{Ledger, serve},
};

/// Entries that all histories share.
const SHARED: u64 = 5;
/// Entries of the one that the auditor verified.
const KNOWN: u64 = SHARED + 3;

const KINDS: [Kind; 3] = [Kind::Archive, Kind::Folder, Kind::Server];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Archive,
    Folder,
    Server,
}

/// A history, by how it stands to the one that was verified.
#[derive(Debug, Clone, Copy, PartialEq)]
enum History {
    Older,
    Known,
    Longer,
    ForkedShorter,
    ForkedEqual,
    ForkedLonger,
}

impl History {
    const ALL: [Self; 6] =
        [Self::Older, Self::Known, Self::Longer, Self::ForkedShorter, Self::ForkedEqual, Self::ForkedLonger];

    const fn size(self) -> u64 {
        match self {
            Self::Older => SHARED + 1,
            Self::ForkedShorter => KNOWN - 1,
            Self::Known | Self::ForkedEqual => KNOWN,
            Self::Longer | Self::ForkedLonger => KNOWN + 2,
        }
    }
}

/// All histories of one ledger, each in all kinds of source.
struct Sources {
    folder: TempDir,
    servers: Vec<(History, Child, String)>,
    pin: PathBuf,
}

impl Drop for Sources {
    fn drop(&mut self) {
        for (_, server, _) in &mut self.servers {
            // It may be dead already.
            let _dead = server.kill();
            let _reaped = server.wait();
        }
    }
}

/// Grows a ledger to so many entries, all of them under its checkpoint, and stops it.
async fn grow(ledger: &mut Ledger, size: u64, hour: &mut i64) {
    while ledger.status().await.size < size {
        *hour += 1;
        let sheet = ledger.sheet(vec![ledger.half_hour(0, *hour)]);
        ledger.submit(sheet, proto::Until::Published).await.unwrap();
    }
    ledger.server.kill().unwrap();
    ledger.server.wait().unwrap();
}

impl Sources {
    async fn new() -> Self {
        let (mut ledger, mut hour) = (Ledger::new().await, 0);
        let (folder, data) = (tempfile::tempdir().unwrap(), ledger.folder.path().to_owned());
        let shared = folder.path().join("shared");
        grow(&mut ledger, SHARED, &mut hour).await;
        copy(&data, &shared);
        let mut servers = Vec::new();
        let fork = [History::ForkedShorter, History::ForkedEqual, History::ForkedLonger];
        for line in [[History::Older, History::Known, History::Longer], fork] {
            copy(&shared, &data);
            for history in line {
                ledger.restart().await;
                grow(&mut ledger, history.size(), &mut hour).await;
                let [stopped, served] =
                    ["stopped", "served"].map(|name| folder.path().join(format!("{history:?} {name}")));
                copy(&data, &stopped);
                copy(&data, &served);
                let (server, client, url) = serve(&served).await;
                servers.push((history, server, url.clone()));
                (ledger.client, ledger.url) = (client, url);
                export(&ledger, &folder.path().join(format!("{history:?} archive"))).await;
            }
        }
        let pin = folder.path().join("pin");
        fs::copy(shared.join("ledger.pin"), &pin).unwrap();
        Self { folder, servers, pin }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An audit of a history in a kind of source, with this memory.
    async fn audit(&self, kind: Kind, history: History, memory: &Path, more: &[&str]) -> (i32, Value) {
        let (archive, stopped) =
            (self.path(&format!("{history:?} archive")), self.path(&format!("{history:?} stopped")));
        let server = self.servers.iter().find(|(served, _, _)| *served == history).unwrap();
        let source = match kind {
            Kind::Archive => ["--archive", text(&archive)],
            Kind::Folder => ["--data", text(&stopped)],
            Kind::Server => ["--server", &server.2],
        };
        audit(&[&source, ["--memory", text(memory)].as_slice(), more].concat()).await
    }

    /// A memory of the known history, as an audit of this kind of source makes it.
    async fn memory(&self, kind: Kind) -> PathBuf {
        let memory = self.path(&format!("{kind:?} memory"));
        let (code, report) = self.audit(kind, History::Known, &memory, &["--pin", text(&self.pin)]).await;
        assert_eq!((code, &report["older_than"], &report["remembered"]), (0, &Value::Null, &true.into()), "{report}");
        memory
    }
}

/// The folder of the one ledger of a memory.
fn inside(memory: &Path) -> PathBuf {
    fs::read_dir(memory).unwrap().next().unwrap().unwrap().path()
}

/// What there has to be said of a history to somebody who knows the known one.
fn check(case: &str, kind: Kind, history: History, (code, report): &(i32, Value)) {
    let finding = &report["finding"];
    let told = (*code, finding["code"].as_str(), finding["entry"].as_u64(), report["older_than"]["size"].as_u64());
    let expected = match (history, kind) {
        (History::Known | History::Longer, _) => (0, None, None, None),
        (History::Older, Kind::Server) => (1, Some("LogShrank"), None, None),
        (History::Older, Kind::Archive | Kind::Folder) => (4, None, None, Some(KNOWN)),
        (History::ForkedShorter | History::ForkedEqual | History::ForkedLonger, _) => {
            (1, Some("Forked"), Some(SHARED), None)
        }
    };
    assert_eq!(told, expected, "{case}: {report}");
    if history == History::Older && kind != Kind::Server {
        assert_eq!(
            (&report["verdict"], &report["older_than"]["compared"]),
            (&"verified".into(), &true.into()),
            "{case}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_source_is_told_how_it_stands_to_what_was_verified_in_any_other() {
    let sources = Sources::new().await;
    for known in KINDS {
        let memory = sources.memory(known).await;
        for kind in KINDS {
            for history in History::ALL {
                let (case, used) = (format!("{known:?}, then {history:?} as {kind:?}"), sources.path("used"));
                copy(&memory, &used);
                let audited = sources.audit(kind, history, &used, &[]).await;
                check(&case, kind, history, &audited);
                if let Some(evidence) = audited.1["finding"]["evidence"].as_str() {
                    let convicted = timebank(&["verify-evidence", evidence]).await;
                    assert_eq!(convicted.status.code(), Some(0), "{case}");
                } else {
                    assert_ne!(audited.1["finding"]["code"], "Forked", "{case}");
                }
                // Whatever it was shown, the auditor still has all of the longest history that passed, and knows it again.
                let longest = if history == History::Longer { History::Longer } else { History::Known };
                let (code, again) = sources.audit(known, longest, &used, &[]).await;
                let resumed = if longest == History::Longer && kind != known { KNOWN } else { longest.size() };
                assert_eq!((code, again["resumed_at"].as_u64()), (0, Some(resumed)), "{case}: {again}");
                assert_eq!(again["pinned"], true, "{case}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_memory_without_the_trees_hashes_accuses_nobody_and_says_that_it_did_not_compare() {
    let sources = Sources::new().await;
    let memory = sources.memory(Kind::Archive).await;
    let tree = fs::read(inside(&memory).join("tree")).unwrap();
    assert_eq!(tree.len() as u64, 32 * (2 * KNOWN - u64::from(KNOWN.count_ones())));
    let damages: [(&str, Option<Vec<u8>>); 4] = [
        ("none, as of earlier versions", None),
        ("nothing in it", Some(Vec::new())),
        ("cut off", Some(tree[..tree.len() / 2].to_vec())),
        ("all of it other hashes", Some(tree.iter().map(|byte| byte ^ 1).collect())),
    ];
    for (what, damage) in damages {
        for kind in KINDS {
            for history in [History::Older, History::ForkedShorter] {
                let (case, used) = (format!("{what}: {history:?} as {kind:?}"), sources.path("used"));
                copy(&memory, &used);
                let path = inside(&used).join("tree");
                match &damage {
                    Some(bytes) => fs::write(&path, bytes).unwrap(),
                    None => fs::remove_file(&path).unwrap(),
                }
                let (code, report) = sources.audit(kind, history, &used, &[]).await;
                if kind == Kind::Server {
                    assert_eq!((code, &report["finding"]["code"]), (1, &"LogShrank".into()), "{case}: {report}");
                } else {
                    let older = &report["older_than"];
                    assert_eq!((code, &older["compared"], &older["size"]), (4, &false.into(), &KNOWN.into()), "{case}");
                }
                let problem = report["memory_problem"].as_str().map(|problem| problem.contains(text(&path)));
                assert_eq!(problem, damage.is_some().then_some(true), "{case}: {report}");
                // The next audit of all that is known makes it again.
                assert_eq!(sources.audit(Kind::Folder, History::Known, &used, &[]).await.0, 0, "{case}");
                assert_eq!(fs::read(&path).unwrap(), tree, "{case}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_flipped_byte_of_a_memory_makes_an_accusation() {
    let sources = Sources::new().await;
    let memory = sources.memory(Kind::Archive).await;
    let mut names = ["pin", "pinned", "checkpoint", "tree"].map(str::to_owned).to_vec();
    names.extend(["genesis", "events-replayed", "ends", "events", "tree"].map(|name| format!("archive/{name}")));
    for name in names {
        let bytes = fs::read(inside(&memory).join(&name)).unwrap();
        let flipped = |at: usize| {
            let mut bytes = bytes.clone();
            bytes[at] ^= 4;
            bytes
        };
        let (half, last) = (bytes.len() / 2, bytes.len() - 2);
        for damage in [flipped(0), flipped(half), flipped(last), bytes[..half].to_vec(), Vec::new()] {
            for history in [History::Known, History::Longer, History::Older] {
                let used = sources.path("used");
                copy(&memory, &used);
                fs::write(inside(&used).join(&name), &damage).unwrap();
                let (code, report) = sources.audit(Kind::Archive, history, &used, &[]).await;
                assert_eq!(code, if history == History::Older { 4 } else { 0 }, "{name}, {history:?}: {report}");
                assert_eq!(report["verdict"], "verified", "{name}, {history:?}: {report}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_longer_is_not_given_up_where_its_checkpoint_is_damaged() {
    let sources = Sources::new().await;
    let memory = sources.memory(Kind::Server).await;
    let tree = fs::read(inside(&memory).join("tree")).unwrap();
    for kind in KINDS {
        for damage in ["", "half a checkp"] {
            let used = sources.path("used");
            copy(&memory, &used);
            fs::write(inside(&used).join("checkpoint"), damage).unwrap();
            for history in [History::Older, History::ForkedShorter] {
                let (code, report) = sources.audit(kind, history, &used, &[]).await;
                let older = &report["older_than"];
                assert_eq!((code, &older["compared"], &older["size"]), (4, &false.into(), &KNOWN.into()), "{report}");
                assert_eq!(fs::read(inside(&used).join("tree")).unwrap(), tree);
            }
            assert_eq!(sources.audit(kind, History::Longer, &used, &[]).await.0, 0);
            assert_eq!(sources.audit(kind, History::ForkedShorter, &used, &[]).await.0, 1, "it is whole again");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_that_is_damaged_in_the_memory_never_reads_as_another_ledgers() {
    let sources = Sources::new().await;
    for (name, pinned) in [("pin", true), ("pinned", true), ("pin", false)] {
        let memory = sources.memory(Kind::Archive).await;
        if !pinned {
            fs::remove_file(inside(&memory).join("pinned")).unwrap();
        }
        let bytes = fs::read(inside(&memory).join(name)).unwrap();
        for at in (0..bytes.len()).step_by(5) {
            let used = sources.path("used");
            copy(&memory, &used);
            let mut damaged = bytes.clone();
            // A digit becomes another digit.
            damaged[at] ^= 1;
            for more in [["--pin", text(&sources.pin)].as_slice(), &[]] {
                fs::write(inside(&used).join(name), &damaged).unwrap();
                let (code, report) = sources.audit(Kind::Archive, History::Known, &used, more).await;
                assert_eq!((code, &report["remembered"]), (0, &true.into()), "{name}, byte {at}: {report}");
                copy(&memory, &used);
            }
        }
        // And it convicts all the same.
        let used = sources.path("used");
        copy(&memory, &used);
        fs::write(inside(&used).join(name), "").unwrap();
        let (code, report) = sources.audit(Kind::Archive, History::ForkedShorter, &used, &[]).await;
        assert_eq!((code, &report["finding"]["code"]), (1, &"Forked".into()), "{report}");
    }
}
