//! Calls of a trace to changes of a folder. A call that it doesn't know and that is about the folder is an error: what was
//! skipped would be a change that no state has.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

use super::{
    disk::{Change, Disk, Image, Node, ROOT, Step},
    trace::Call,
};

/// Calls about a folder that change nothing which a power cut could take: `sync_file_range` promises nothing, and modes are not
/// recorded.
const WITHOUT_EFFECT: [&str; 10] = [
    "chmod",
    "execve",
    "fadvise64",
    "fchmod",
    "fchmodat",
    "flock",
    "getcwd",
    "readlink",
    "readlinkat",
    "sync_file_range",
];

/// Calls that change files which they don't name.
const UNTRACEABLE: [&str; 7] = ["fork", "io_setup", "io_uring_setup", "process_vm_writev", "ptrace", "sync", "vfork"];

/// An open file: descriptors that were copied share it.
#[derive(Debug, Clone, Copy)]
struct Open {
    node: Node,
    position: usize,
    appends: bool,
}

/// Follows the calls of one process after another.
#[derive(Debug)]
pub struct Recorder {
    /// The folder that is recorded, and what lies in it.
    root: PathBuf,
    pub disk: Disk,
    /// The names as the system has them.
    names: BTreeMap<Node, BTreeMap<String, Node>>,
    /// Lengths as the system has them.
    lengths: Vec<usize>,
    opened: Vec<Open>,
    descriptors: BTreeMap<i64, usize>,
}

type Result<T> = std::result::Result<T, String>;

impl Recorder {
    /// Begins with a folder that has this. `root` has to be as the system spells it.
    pub fn new(root: &Path, base: &Image) -> Self {
        let disk = Disk::of(base);
        let lengths = disk.base.iter().map(|content| content.as_ref().map_or(0, Vec::len)).collect();
        let (opened, descriptors) = (Vec::new(), BTreeMap::new());
        Self { root: root.to_owned(), names: disk.names.clone(), disk, lengths, opened, descriptors }
    }

    /// Takes in all that a process did, which is dead. `left` is what is in the folder now: where it died within a call, it
    /// tells whether that was carried out, and everything has to be as the calls say.
    pub fn take(&mut self, calls: &[Call], left: &Image) -> Result<()> {
        check_overlaps(&self.root, calls)?;
        let mut events: Vec<(usize, bool, usize)> = Vec::new();
        for (number, call) in calls.iter().enumerate() {
            events.push((call.began, false, number));
            // A call without an end has its effect before the process is gone.
            events.push((call.ended.unwrap_or(usize::MAX), true, number));
        }
        events.sort_unstable();
        let first = self.disk.steps.len();
        for (_, is_end, number) in events {
            let call = &calls[number];
            let taken = if is_end { self.end(call, left) } else { self.begin(call, left) };
            taken.map_err(|problem| format!("line {} of the trace, {}: {problem}", call.began, call.name))?;
        }
        self.disk.steps[first..].sort_by_key(|step| step.began);
        self.descriptors.clear();
        self.opened.clear();
        let there = self.disk.image(usize::MAX, &mut Kept);
        there.difference(left).map_or(Ok(()), |found| Err(format!("what was traced isn't what is there: {found}")))
    }

    /// What a call does to descriptors and bytes: known when it begins.
    fn begin(&mut self, call: &Call, left: &Image) -> Result<()> {
        let name = call.name.as_str();
        if UNTRACEABLE.contains(&name) {
            return Err("files may be changed that it doesn't name".to_owned());
        }
        if call.result.is_some_and(|result| result < 0) && name != "close" {
            return Ok(());
        }
        match name {
            "close" => {
                self.descriptors.remove(&call.number(0).ok_or("no descriptor")?);
                Ok(())
            }
            "clone" | "clone3" if !call.arguments.concat().contains("CLONE_FILES") => {
                Err("another process has the same files".to_owned())
            }
            "write" | "writev" | "pwrite64" | "pwritev" => self.write(call, left),
            "ftruncate" => match self.open_file(call, 0)? {
                Some(open) => {
                    let length = size(call.number(1))?;
                    self.lengths[self.opened[open].node] = length;
                    self.step(call, Change::Resize { file: self.opened[open].node, length });
                    Ok(())
                }
                None => Ok(()),
            },
            "fsync" | "fdatasync" => {
                if let Some(open) = self.open_file(call, 0)? {
                    self.step(call, Change::Sync(self.opened[open].node));
                }
                Ok(())
            }
            "mmap" if call.argument(3).contains("MAP_SHARED") && self.is_about(call) => {
                Err("a file of the folder is written to without calls".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// What it does to names and positions: known when it has ended.
    fn end(&mut self, call: &Call, left: &Image) -> Result<()> {
        if call.result.is_some_and(|result| result < 0) {
            return Ok(());
        }
        match call.name.as_str() {
            "open" => self.open(call, self.path(None, call, 0)?, call.argument(1), left),
            "openat" => self.open(call, self.path(Some(0), call, 1)?, call.argument(2), left),
            "mkdir" => self.make_folder(call, self.path(None, call, 0)?, left),
            "mkdirat" => self.make_folder(call, self.path(Some(0), call, 1)?, left),
            "unlink" | "rmdir" => self.remove(call, self.path(None, call, 0)?, left),
            "unlinkat" => self.remove(call, self.path(Some(0), call, 1)?, left),
            "rename" => self.rename(call, (self.path(None, call, 0)?, self.path(None, call, 1)?), left),
            "renameat" | "renameat2" if !call.argument(4).contains("EXCHANGE") => {
                self.rename(call, (self.path(Some(0), call, 1)?, self.path(Some(2), call, 3)?), left)
            }
            "link" => self.link(call, (self.path(None, call, 0)?, self.path(None, call, 1)?), left),
            "linkat" => self.link(call, (self.path(Some(0), call, 1)?, self.path(Some(2), call, 3)?), left),
            "dup" | "dup2" | "dup3" => self.copy(call),
            "fcntl" if call.argument(1).starts_with("F_DUPFD") => self.copy(call),
            "lseek" | "read" | "readv" => self.seek(call),
            "close" | "write" | "writev" | "pwrite64" | "pwritev" | "ftruncate" | "fsync" | "fdatasync" | "mmap"
            | "fcntl" => Ok(()),
            name if WITHOUT_EFFECT.contains(&name) || !self.is_about(call) => Ok(()),
            _ => Err("it is about the folder, and what it does isn't known".to_owned()),
        }
    }

    fn step(&mut self, call: &Call, change: Change) {
        self.disk.steps.push(Step { began: call.began, ended: call.ended, change });
    }

    fn write(&mut self, call: &Call, left: &Image) -> Result<()> {
        let Some(open) = self.open_file(call, 0)? else { return Ok(()) };
        let mut bytes = call.texts(1).ok_or("what is written isn't whole")?;
        let Open { node, position, appends } = self.opened[open];
        let at = match call.name.as_str() {
            "pwrite64" | "pwritev" => size(call.number(3))?,
            _ if appends => self.lengths[node],
            _ => position,
        };
        match call.result {
            Some(result) if usize::try_from(result) != Ok(bytes.len()) => {
                return Err(format!("{result} of {} bytes were written", bytes.len()));
            }
            Some(_) => {}
            // The process was killed within it: as much of it as is there.
            None => {
                let there = self.content(left, node).and_then(|content| content.get(at..)).unwrap_or_default();
                let same = bytes.iter().zip(there).take_while(|(written, found)| written == found).count();
                bytes.truncate(same);
            }
        }
        if !call.name.starts_with('p') {
            self.opened[open].position = at + bytes.len();
        }
        self.lengths[node] = self.lengths[node].max(at + bytes.len());
        self.step(call, Change::Write { file: node, at, bytes });
        Ok(())
    }

    fn open(&mut self, call: &Call, path: Option<PathBuf>, flags: &str, left: &Image) -> Result<()> {
        let Some(path) = path else { return Ok(()) };
        let has = |flag: &str| flags.split('|').any(|found| found == flag);
        if has("O_TMPFILE") {
            return Err("a file without a name".to_owned());
        }
        let found = self.find(&path)?;
        if call.result.is_none() && (found.is_some() || !left.0.contains_key(&path)) {
            return Ok(());
        }
        let node = match found {
            Some(node) => node,
            None if has("O_CREAT") => {
                let node = self.new_node(false);
                self.set_names(call, &path, Some(node))?;
                node
            }
            None => return Err(format!("{} was opened, and is not there", path.display())),
        };
        if has("O_TRUNC") && self.lengths[node] > 0 {
            self.lengths[node] = 0;
            self.step(call, Change::Resize { file: node, length: 0 });
        }
        if let Some(descriptor) = call.result {
            self.opened.push(Open { node, position: 0, appends: has("O_APPEND") });
            self.descriptors.insert(descriptor, self.opened.len() - 1);
        }
        Ok(())
    }

    fn make_folder(&mut self, call: &Call, path: Option<PathBuf>, left: &Image) -> Result<()> {
        let Some(path) = path else { return Ok(()) };
        if call.result.is_none() && (self.find(&path)?.is_some() || !left.0.contains_key(&path)) {
            return Ok(());
        }
        let node = self.new_node(true);
        self.set_names(call, &path, Some(node))
    }

    fn remove(&mut self, call: &Call, path: Option<PathBuf>, left: &Image) -> Result<()> {
        let Some(path) = path else { return Ok(()) };
        if call.result.is_none() && left.0.contains_key(&path) {
            return Ok(());
        }
        self.set_names(call, &path, None)
    }

    fn rename(&mut self, call: &Call, paths: (Option<PathBuf>, Option<PathBuf>), left: &Image) -> Result<()> {
        let (from, to) = match paths {
            (Some(from), Some(to)) => (from, to),
            (None, None) => return Ok(()),
            (Some(_), None) | (None, Some(_)) => return Err("into the folder, or out of it".to_owned()),
        };
        if call.result.is_none() && left.0.contains_key(&from) {
            return Ok(());
        }
        let node = self.find(&from)?.ok_or("what is renamed is not there")?;
        let ((folder, name), (into, new)) = (self.place(&from)?, self.place(&to)?);
        let (gone, come) = ((name, None), (new, Some(node)));
        if folder == into {
            self.change_names(call, folder, vec![gone, come]);
        } else {
            self.change_names(call, into, vec![come]);
            self.change_names(call, folder, vec![gone]);
        }
        Ok(())
    }

    fn link(&mut self, call: &Call, paths: (Option<PathBuf>, Option<PathBuf>), left: &Image) -> Result<()> {
        let (Some(from), Some(to)) = paths else { return Ok(()) };
        if call.result.is_none() && !left.0.contains_key(&to) {
            return Ok(());
        }
        let node = self.find(&from)?.ok_or("what is linked is not there")?;
        self.set_names(call, &to, Some(node))
    }

    fn copy(&mut self, call: &Call) -> Result<()> {
        let known = call.number(0).and_then(|descriptor| self.descriptors.get(&descriptor).copied());
        let new = call.result.ok_or("it has no end")?;
        match known {
            Some(open) => self.descriptors.insert(new, open),
            None => self.descriptors.remove(&new),
        };
        Ok(())
    }

    fn seek(&mut self, call: &Call) -> Result<()> {
        if let (Some(open), Some(result)) = (self.open_file(call, 0)?, call.result) {
            let result = size(Some(result))?;
            let position = &mut self.opened[open].position;
            *position = if call.name == "lseek" { result } else { *position + result };
        }
        Ok(())
    }

    fn new_node(&mut self, is_folder: bool) -> Node {
        let node = self.disk.make(is_folder);
        self.lengths.push(0);
        if is_folder {
            self.names.insert(node, BTreeMap::new());
        }
        node
    }

    fn set_names(&mut self, call: &Call, path: &Path, node: Option<Node>) -> Result<()> {
        let (folder, name) = self.place(path)?;
        self.change_names(call, folder, vec![(name, node)]);
        Ok(())
    }

    fn change_names(&mut self, call: &Call, folder: Node, names: Vec<(String, Option<Node>)>) {
        let there = self.names.entry(folder).or_default();
        for (name, node) in &names {
            match node {
                Some(node) => there.insert(name.clone(), *node),
                None => there.remove(name),
            };
        }
        self.step(call, Change::Names { folder, names });
    }

    /// The folder of a path, and the name in it.
    fn place(&self, path: &Path) -> Result<(Node, String)> {
        let name = path.file_name().and_then(|name| name.to_str()).ok_or("the folder itself is changed")?;
        let parent = self.find(path.parent().unwrap_or(Path::new("")))?.ok_or("its folder is not there")?;
        Ok((parent, name.to_owned()))
    }

    fn find(&self, path: &Path) -> Result<Option<Node>> {
        let mut node = ROOT;
        for part in path.components() {
            let Component::Normal(name) = part else { return Err("a path with dots".to_owned()) };
            let inside = self.names.get(&node).and_then(|names| names.get(name.to_str()?));
            match inside {
                Some(inside) => node = *inside,
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }

    /// What a folder that was read has of a file.
    fn content<'a>(&self, left: &'a Image, node: Node) -> Option<&'a [u8]> {
        left.0.iter().find_map(|(path, content)| {
            content.as_deref().filter(|_| self.find(path).is_ok_and(|found| found == Some(node)))
        })
    }

    /// The open file that a descriptor of the folder stands for; none for those of anything else.
    fn open_file(&self, call: &Call, argument: usize) -> Result<Option<usize>> {
        let known = call.number(argument).and_then(|descriptor| self.descriptors.get(&descriptor));
        let shown = call.shown(argument).is_some_and(|shown| Path::new(&shown).starts_with(&self.root));
        match (known, shown) {
            (Some(open), true) => Ok(Some(*open)),
            (None, false) => Ok(None),
            _ => Err(format!("descriptor {}: the system says otherwise what it is", call.argument(argument))),
        }
    }

    fn path(&self, folder: Option<usize>, call: &Call, argument: usize) -> Result<Option<PathBuf>> {
        path(&self.root, folder, call, argument)
    }

    /// Whether any argument is in the folder.
    fn is_about(&self, call: &Call) -> bool {
        let inside = |path: Vec<u8>| Path::new(&String::from_utf8_lossy(&path).into_owned()).starts_with(&self.root);
        (0..call.arguments.len()).any(|argument| {
            call.shown(argument).is_some_and(|shown| inside(shown.into_bytes()))
                || call.text(argument).is_some_and(inside)
        })
    }
}

/// A path within the folder; none where it leads elsewhere.
fn path(root: &Path, folder: Option<usize>, call: &Call, argument: usize) -> Result<Option<PathBuf>> {
    let text = call.text(argument).and_then(|text| String::from_utf8(text).ok()).ok_or("a path that isn't whole")?;
    let whole = match folder.and_then(|folder| call.shown(folder)) {
        Some(folder) => Path::new(&folder).join(text),
        None => PathBuf::from(text),
    };
    Ok(whole.strip_prefix(root).ok().map(Path::to_owned))
}

fn size(number: Option<i64>) -> Result<usize> {
    number.and_then(|number| usize::try_from(number).ok()).ok_or_else(|| "a number that isn't understood".to_owned())
}

/// Names of one path that two threads use at the same time could be taken in the wrong order.
fn check_overlaps(root: &Path, calls: &[Call]) -> Result<()> {
    let mut spans: Vec<(PathBuf, usize, usize, bool)> = Vec::new();
    for call in calls.iter().filter(|call| call.result.is_none_or(|result| result >= 0)) {
        let places: &[(Option<usize>, usize)] = match call.name.as_str() {
            "open" | "mkdir" | "unlink" | "rmdir" => &[(None, 0)],
            "openat" | "mkdirat" | "unlinkat" => &[(Some(0), 1)],
            "rename" | "link" => &[(None, 0), (None, 1)],
            "renameat" | "renameat2" | "linkat" => &[(Some(0), 1), (Some(2), 3)],
            _ => continue,
        };
        let changes = !call.name.starts_with("open") || call.arguments.iter().any(|flags| flags.contains("O_CREAT"));
        for (folder, argument) in places {
            if let Some(path) = path(root, *folder, call, *argument)? {
                spans.push((path, call.began, call.ended.unwrap_or(usize::MAX), changes));
            }
        }
    }
    spans.sort();
    for pair in spans.windows(2) {
        let [(path, _, ended, changes), (other, began, _, also_changes)] = pair else { continue };
        if path == other && (*changes || *also_changes) && began < ended {
            return Err(format!("{} is named by two calls at the same time", path.display()));
        }
    }
    Ok(())
}

/// Everything gets to the disk.
struct Kept;

impl super::disk::Fate for Kept {
    fn sector(&self) -> usize {
        4_096
    }

    fn keeps_sector(&mut self, _step: usize, _sector: usize) -> bool {
        true
    }

    fn keeps_length(&mut self, _step: usize) -> bool {
        true
    }

    fn keeps_names(&mut self, _step: usize) -> bool {
        true
    }
}
