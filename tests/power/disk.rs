//! A folder as a disk has it: what was synced is there, of everything else anything may be.
//!
//! The unit is the sector: after a power cut it has what the page cache held of it at some moment since its last sync.
//! Sectors, lengths and names are independent of each other. A sync covers what had ended when it began, and counts once it has
//! returned; that of a file says nothing of its name, which only a sync of its folder keeps (POSIX, `fsync`).

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use timebank::merkle::{Hash, leaf_hash, root_of_leaves};

/// A file or folder, whatever its names are.
pub type Node = usize;

/// The folder that the recorded one lies in. It is there from the beginning.
pub const ROOT: Node = 0;

/// What one call changes, or syncs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Bytes of a file.
    Write { file: Node, at: usize, bytes: Vec<u8> },
    /// A file's length.
    Resize { file: Node, length: usize },
    /// What names of a folder stand for from now on: a rename within it is one change of two names.
    Names { folder: Node, names: Vec<(String, Option<Node>)> },
    /// A sync of a file or folder.
    Sync(Node),
}

impl Change {
    fn node(&self) -> Node {
        match self {
            Self::Write { file, .. } | Self::Resize { file, .. } => *file,
            Self::Names { folder, .. } => *folder,
            Self::Sync(node) => *node,
        }
    }
}

/// A change, and the lines of the trace between which it took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub began: usize,
    /// None where its process ended within it.
    pub ended: Option<usize>,
    pub change: Change,
}

/// What was there before anything was recorded, and all that was done to it.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    /// Contents of files, nothing for folders, by node; all of it is on the disk.
    pub base: Vec<Option<Vec<u8>>>,
    /// The names in each folder at first.
    pub names: BTreeMap<Node, BTreeMap<String, Node>>,
    /// In the order in which they began.
    pub steps: Vec<Step>,
}

/// What becomes of what isn't synced.
pub trait Fate {
    /// Bytes of the units in which data gets to the disk or doesn't.
    fn sector(&self) -> usize;
    /// Whether a sector got there as this step left it.
    fn keeps_sector(&mut self, step: usize, sector: usize) -> bool;
    /// Whether the length did.
    fn keeps_length(&mut self, step: usize) -> bool;
    /// Whether the names of a folder did.
    fn keeps_names(&mut self, step: usize) -> bool;
}

/// A folder as it may be found: bytes of files, nothing for folders, by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image(pub BTreeMap<PathBuf, Option<Vec<u8>>>);

impl Disk {
    /// A disk that has this.
    pub fn of(image: &Image) -> Self {
        let mut disk = Self { base: vec![None], names: [(ROOT, BTreeMap::new())].into(), steps: Vec::new() };
        let mut nodes = BTreeMap::from([(PathBuf::new(), ROOT)]);
        for (path, content) in &image.0 {
            let (parent, node) = (nodes[path.parent().unwrap()], disk.base.len());
            disk.base.push(content.clone());
            if content.is_none() {
                disk.names.insert(node, BTreeMap::new());
            }
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            disk.names.get_mut(&parent).unwrap().insert(name, node);
            nodes.insert(path.clone(), node);
        }
        disk
    }

    /// A new file or folder, that no name stands for yet.
    pub fn make(&mut self, is_folder: bool) -> Node {
        let node = self.base.len();
        self.base.push(if is_folder { None } else { Some(Vec::new()) });
        if is_folder {
            self.names.insert(node, BTreeMap::new());
        }
        node
    }

    /// The changes that have begun by a moment, and of each whether it is on the disk for sure.
    pub fn begun(&self, moment: usize) -> Vec<(usize, bool)> {
        let begun = self.steps.iter().enumerate().take_while(|(_, step)| step.began <= moment);
        let mut latest = BTreeMap::new();
        for (_, step) in begun.clone() {
            if let (Change::Sync(node), Some(_)) = (&step.change, step.ended.filter(|ended| *ended <= moment)) {
                // Of what began later a later sync covers all that an earlier one does.
                latest.insert(*node, step.began);
            }
        }
        let is_synced = |step: &Step| {
            let covered = latest.get(&step.change.node());
            covered.is_some_and(|sync| step.ended.is_some_and(|ended| ended <= *sync))
        };
        let changes = begun.filter(|(_, step)| !matches!(step.change, Change::Sync(_)));
        changes.map(|(number, step)| (number, is_synced(step))).collect()
    }

    /// The folder after a power cut at a moment.
    pub fn image(&self, moment: usize, fate: &mut dyn Fate) -> Image {
        let (mut names, mut steps_of) = (self.names.clone(), BTreeMap::<Node, Vec<(usize, bool)>>::new());
        for (number, is_synced) in self.begun(moment) {
            match &self.steps[number].change {
                Change::Names { folder, names: changed } => {
                    if is_synced || fate.keeps_names(number) {
                        let names = names.get_mut(folder).unwrap();
                        for (name, node) in changed {
                            match node {
                                Some(node) => names.insert(name.clone(), *node),
                                None => names.remove(name),
                            };
                        }
                    }
                }
                Change::Write { file, .. } | Change::Resize { file, .. } => {
                    steps_of.entry(*file).or_default().push((number, is_synced));
                }
                Change::Sync(_) => {}
            }
        }
        let mut image = Image::default();
        let mut folders = vec![(PathBuf::new(), ROOT)];
        while let Some((path, folder)) = folders.pop() {
            for (name, node) in &names[&folder] {
                let path = path.join(name);
                let content = self.base[*node]
                    .as_ref()
                    .map(|base| self.content(base, steps_of.get(node).map_or(&[], Vec::as_slice), fate));
                if content.is_none() {
                    folders.push((path.clone(), *node));
                }
                image.0.insert(path, content);
            }
        }
        image
    }

    /// A file, of the steps that changed it.
    fn content(&self, base: &[u8], steps: &[(usize, bool)], fate: &mut dyn Fate) -> Vec<u8> {
        let (mut cached, mut disk, mut length) = (base.to_vec(), base.to_vec(), base.len());
        let sector = fate.sector();
        for (number, is_synced) in steps {
            let before = cached.len();
            let touched = match &self.steps[*number].change {
                Change::Write { at, bytes, .. } => {
                    set_length(&mut cached, before.max(at + bytes.len()));
                    cached[*at..at + bytes.len()].copy_from_slice(bytes);
                    *at..at + bytes.len()
                }
                Change::Resize { length, .. } => {
                    set_length(&mut cached, *length);
                    *length..*length
                }
                Change::Names { .. } | Change::Sync(_) => continue,
            };
            if cached.len() != before && (*is_synced || fate.keeps_length(*number)) {
                length = cached.len();
                // What was cut off is gone, whatever the file's length is later.
                disk.truncate(length);
            }
            let first = touched.start / sector;
            for sector_number in first..touched.end.div_ceil(sector) {
                if *is_synced || fate.keeps_sector(*number, sector_number) {
                    let (start, end) = (sector_number * sector, ((sector_number + 1) * sector).min(cached.len()));
                    let longer = disk.len().max(end);
                    set_length(&mut disk, longer);
                    disk[start..end].copy_from_slice(&cached[start..end]);
                }
            }
        }
        set_length(&mut disk, length);
        disk
    }
}

/// Cuts off what is behind a length, or adds zeros. `Vec::resize` does it byte by byte where nothing is optimized, for most of
/// the time of a test.
fn set_length(bytes: &mut Vec<u8>, length: usize) {
    bytes.truncate(length);
    bytes.extend_from_slice(&vec![0; length - bytes.len()]);
}

impl Image {
    /// What is in a folder.
    pub fn read(folder: &Path) -> std::io::Result<Self> {
        let (mut image, mut folders) = (Self::default(), vec![PathBuf::new()]);
        while let Some(inside) = folders.pop() {
            for entry in std::fs::read_dir(folder.join(&inside))? {
                let entry = entry?;
                let path = inside.join(entry.file_name());
                let is_folder = entry.file_type()?.is_dir();
                let content = if is_folder { None } else { Some(std::fs::read(entry.path())?) };
                if is_folder {
                    folders.push(path.clone());
                }
                image.0.insert(path, content);
            }
        }
        Ok(image)
    }

    /// Makes it in an empty folder. Modes are those of files that a server makes for its owner alone: they are not recorded.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        use std::{
            io::Write,
            os::unix::fs::{DirBuilderExt, OpenOptionsExt},
        };
        for (path, content) in &self.0 {
            let path = folder.join(path);
            match content {
                None => std::fs::DirBuilder::new().mode(0o700).create(path)?,
                Some(bytes) => {
                    let mut options = std::fs::OpenOptions::new();
                    options.write(true).create_new(true).mode(0o600).open(path)?.write_all(bytes)?;
                }
            }
        }
        Ok(())
    }

    /// Tells it from every other one.
    pub fn digest(&self) -> Hash {
        let parts = self.0.iter().map(|(path, content)| {
            let content = content.as_ref().map(|bytes| leaf_hash(bytes));
            leaf_hash(format!("{} {content:?}", path.display()).as_bytes())
        });
        root_of_leaves(parts)
    }

    /// The first path at which two differ, in words.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let paths: BTreeSet<&PathBuf> = self.0.keys().chain(other.0.keys()).collect();
        let lengths = |image: &Self, path: &PathBuf| match image.0.get(path) {
            None => "nothing".to_owned(),
            Some(None) => "a folder".to_owned(),
            Some(Some(bytes)) => format!("{} bytes", bytes.len()),
        };
        let differs = |path: &&&PathBuf| self.0.get(**path) != other.0.get(**path);
        let path = paths.iter().find(differs)?;
        Some(format!("{}: {} and {}", path.display(), lengths(self, path), lengths(other, path)))
    }
}
