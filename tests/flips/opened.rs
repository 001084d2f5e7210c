//! What `fsck`, `audit`, `export` with `restore`, and `serve` say of a folder, each of a copy of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use timebank::{
    format::proto,
    people::directory::{Directory, DirectoryRow, Link},
};

use super::{
    imported::copied,
    made::Made,
    server::timebank,
    told::{self, Again, Told},
};

/// Longer than any of them takes on a busy machine: what takes longer hangs.
const PATIENCE: Duration = Duration::from_mins(2);
/// How often is looked whether a process has ended.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// What a thread says before it unwinds.
const PANIC: &str = "panicked at";

/// What `fsck` names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// Parts of which something is damaged that can't be made again, and the place of each.
    pub damaged: BTreeSet<(String, String)>,
    /// Parts of which something is damaged that follows from the log.
    pub derived: BTreeSet<String>,
}

/// What a server does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Served {
    /// It starts, and tells nothing otherwise.
    Tells(Again),
    /// It refuses to start, in these words.
    Refuses(String),
}

/// What all of them say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    pub fsck: Named,
    /// Nothing where all is verified.
    pub audit: Option<String>,
    /// Nothing where the restored folder has the same entries and is sound.
    pub restored: Option<String>,
    pub served: Served,
    /// What whoever imports is told of its links; nothing where they are as they were.
    pub linked: Option<String>,
}

struct Ended {
    code: i32,
    out: String,
    words: String,
}

/// A process that is killed when it goes.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may be dead already.
        let _dead = self.0.kill();
        let _reaped = self.0.wait();
    }
}

impl Running {
    fn start(command: &mut Command, words: &Path) -> Self {
        let command = command.stdin(Stdio::null()).stderr(File::create(words).unwrap());
        Self(command.spawn().unwrap())
    }

    fn end(&mut self) -> Result<i32, String> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code().ok_or_else(|| format!("it died: {status}"));
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Err("it hangs".to_owned())
    }
}

fn run(root: &Path, arguments: &[&str]) -> Result<Ended, String> {
    let (out, words) = (root.join(".out"), root.join(".words"));
    let mut command = timebank(arguments);
    command.current_dir(root).stdout(File::create(&out).unwrap());
    let code = Running::start(&mut command, &words).end().map_err(|problem| format!("{}: {problem}", arguments[0]))?;
    let text = |path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
    let (out, words) = (text(out), text(words));
    if words.contains(PANIC) {
        return Err(format!("{} panics: {words}", arguments[0]));
    }
    Ok(Ended { code, out, words })
}

fn last(words: &str) -> String {
    words.lines().rfind(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

/// `fsck`, which has to name whatever it finds.
fn fsck(root: &Path, data: &str) -> Result<Named, String> {
    let ended = run(root, &["fsck", "--json", "--data", data])?;
    let Ok(report) = serde_json::from_str::<Value>(&ended.out) else {
        return Err(format!("fsck ends with {} and names nothing: {}", ended.code, last(&ended.words)));
    };
    let mut named = Named::default();
    for problem in report["problems"].as_array().unwrap() {
        let text = |field: &str| problem[field].as_str().unwrap().to_owned();
        if problem["derived"] == Value::Bool(true) {
            named.derived.insert(text("part"));
        } else {
            named.damaged.insert((text("part"), text("place")));
        }
    }
    let is_open =
        report["problems"].as_array().unwrap().iter().any(|problem| problem["repaired"] == Value::Bool(false));
    if ended.code != i32::from(is_open) {
        return Err(format!("fsck ends with {}, and says {report}", ended.code));
    }
    let unchecked = report["checks"].as_array().unwrap().iter().find(|check| check["verdict"] == "not checked");
    match unchecked.filter(|_| named == Named::default()) {
        Some(check) => Err(format!("fsck finds nothing, and {} was not looked at", check["part"])),
        None => Ok(named),
    }
}

/// An audit: what it says is wrong.
fn audit(root: &Path) -> Result<Option<String>, String> {
    let ended = run(root, &["audit", "--json", "--data", "ledger", "--memory", "memory"])?;
    match ended.code {
        0 => Ok(None),
        1 | 3 => {
            let words = if ended.out.is_empty() { last(&ended.words) } else { ended.out };
            if words.is_empty() { Err("audit says nothing".to_owned()) } else { Ok(Some(words)) }
        }
        code => Err(format!("audit ends with {code}: {}", last(&ended.words))),
    }
}

/// An archive, a folder of it, and what that holds: who refuses, and why.
fn restore(root: &Path, archive: &[u8]) -> Result<Option<String>, String> {
    let steps: [&[&str]; 2] = [
        &["export", "--data", "ledger", "--out", "archive"],
        &["restore", "--archive", "archive", "--data", "new", "--keys", "ledger"],
    ];
    for step in steps {
        let ended = run(root, step)?;
        match (ended.code, last(&ended.words)) {
            (0, _) => {}
            (1..=3, words) if !words.is_empty() => return Ok(Some(format!("{}: {words}", step[0]))),
            (code, words) => return Err(format!("{} ends with {code}: {words}", step[0])),
        }
    }
    if fs::read(root.join("archive")).unwrap() != archive {
        return Err("the archive is another one".to_owned());
    }
    let named = fsck(root, "new")?;
    if named == Named::default() { Ok(None) } else { Err(format!("what was restored is damaged: {named:?}")) }
}

/// What is told of a folder that is sound: by a server that is asked for everything, and of the links of imports.
pub struct Asked {
    pub told: Told,
    pub links: Links,
    pub accounts: Vec<proto::Account>,
}

/// A root in which a copy of the folder is `ledger`.
fn copy(folder: &Path) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::rename(copied(folder).keep(), root.path().join("ledger")).unwrap();
    root
}

/// Starts a server: where it serves, or its refusal.
fn start(root: &Path) -> Result<(Running, Result<String, String>), String> {
    let mut command = timebank(&[]);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data", "ledger"]).current_dir(root).stdout(Stdio::piped());
    let mut server = Running::start(&mut command, &root.join(".words"));
    let lines = BufReader::new(server.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let serving = |line: String| line.strip_prefix("serving ")?.rsplit_once(" on ").map(|(_, url)| url.to_owned());
    if let Some(url) = lines.into_iter().find_map(serving) {
        return Ok((server, Ok(url)));
    }
    let code = server.end().map_err(|problem| format!("serve: {problem}"))?;
    let words = words(root)?;
    if !(1..=75).contains(&code) || last(&words).is_empty() {
        return Err(format!("serve ends with {code}: {words}"));
    }
    Ok((server, Err(last(&words))))
}

fn words(root: &Path) -> Result<String, String> {
    let words = String::from_utf8_lossy(&fs::read(root.join(".words")).unwrap()).into_owned();
    if words.contains(PANIC) { Err(format!("serve panics: {words}")) } else { Ok(words) }
}

/// What is told of a folder that is sound.
pub async fn first(made: &Made) -> Asked {
    let root = copy(made.folder.path());
    let (_server, url) = start(root.path()).unwrap();
    let url = url.unwrap();
    let accounts = told::accounts(&url).await;
    Asked { told: told::ask(&url, made, &accounts).await.unwrap(), links: links(root.path()).unwrap(), accounts }
}

/// The archive of a folder that is sound.
pub fn archive(made: &Made) -> Vec<u8> {
    let root = copy(made.folder.path());
    assert_eq!(run(root.path(), &["export", "--data", "ledger", "--out", "archive"]).unwrap().code, 0);
    fs::read(root.path().join("archive")).unwrap()
}

async fn serve(root: &Path, made: &Made, first: &Asked) -> Result<Served, String> {
    let (mut server, url) = start(root)?;
    let url = match url {
        Ok(url) => url,
        Err(words) => return Ok(Served::Refuses(words)),
    };
    let now = tokio::time::timeout(PATIENCE, told::ask(&url, made, &first.accounts)).await;
    let now = now.map_err(|_late| "serve hangs".to_owned())??;
    words(root)?;
    if let Some(status) = server.0.try_wait().unwrap() {
        return Err(format!("serve ends by itself, {status}"));
    }
    Ok(Served::Tells(told::again(&first.told, &now)?))
}

/// The links of imports by what is outside; nothing of one whose sheet is on its way, which will be sent again and make it.
type Links = BTreeMap<String, Option<Link>>;

fn outside(link: &Link) -> String {
    match link {
        Link::Account { outside, .. } => format!("account of {outside}"),
        Link::Record { outside, .. } => format!("record {outside}"),
        Link::Applied { row } => hex::encode(row),
    }
}

/// The links of imports, or why they can't be read.
fn links(root: &Path) -> Result<Links, String> {
    let mut links = Links::new();
    for ledger in fs::read_dir(root.join("ledger/directory")).unwrap() {
        let mut damaged = Vec::new();
        let each = Directory::each(&ledger.unwrap().path(), &mut |row| match row {
            Ok(DirectoryRow::Link(link)) => _ = links.insert(outside(&link), Some(link)),
            Ok(DirectoryRow::Pending(pending)) => links.extend(pending.links.iter().map(|link| (outside(link), None))),
            Err((at, error)) => damaged.push(format!("{at}: {error}")),
        });
        each.map_err(|error| error.to_string())?;
        if !damaged.is_empty() {
            return Err(damaged.join(", "));
        }
    }
    Ok(links)
}

fn linked(root: &Path, first: &Links) -> Result<Option<String>, String> {
    let links = match links(root) {
        Ok(links) => links,
        Err(words) => return Ok(Some(words)),
    };
    let is_kept = |(outside, link): &(&String, &Option<Link>)| {
        links.get(*outside).is_some_and(|now| now == *link || now.is_none())
    };
    match first.iter().find(|link| !is_kept(link)) {
        Some((outside, _)) => Err(format!("the link of {outside} is lost or another one, and nobody is told")),
        None => Ok(None),
    }
}

/// Opens a folder by all of them.
///
/// # Errors
/// A panic, a hang, an end without words, anything that is told otherwise than before.
pub async fn open(folder: &Path, made: &Made, (first, archive): (&Asked, &[u8])) -> Result<Said, String> {
    let [for_fsck, for_audit, for_restore, for_serve, for_links] = std::array::from_fn(|_| copy(folder));
    Ok(Said {
        fsck: fsck(for_fsck.path(), "ledger")?,
        audit: audit(for_audit.path())?,
        restored: restore(for_restore.path(), archive)?,
        served: serve(for_serve.path(), made, first).await?,
        linked: linked(for_links.path(), &first.links)?,
    })
}
