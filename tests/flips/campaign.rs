//! Bits at places that a seed chooses, in files of every kind, flipped one by one.

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Mutex, thread};

use fastrand::Rng;

use super::{
    imported::copied,
    made::{Made, kinds},
    opened::{Asked, Served, archive, first, open},
    told::Again,
    verdict::{Verdict, verdict},
};

/// How many places of each kind of file, and by which seed.
#[derive(Debug, Clone)]
pub struct Options {
    pub places: usize,
    pub seed: u64,
    /// Only kinds whose names have this in them.
    pub only: String,
}

/// Of one kind of file.
#[derive(Debug, Default)]
pub struct Count {
    pub verdicts: BTreeMap<Verdict, usize>,
    pub refused: usize,
    /// Places for which a server told not all.
    pub silent: usize,
    pub wrong: usize,
}

#[derive(Debug, Default)]
pub struct Found {
    pub counts: BTreeMap<String, Count>,
    pub faults: Vec<String>,
}

/// A bit of a file.
#[derive(Debug, Clone)]
struct Place {
    kind: String,
    file: PathBuf,
    byte: usize,
    bit: u32,
}

/// Flips all of them, each in a folder of its own.
pub fn run(options: &Options) -> Found {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let made = runtime.block_on(Made::new());
    let (first, archive) = (runtime.block_on(first(&made)), archive(&made));
    let (next, found) = (Mutex::new(places(&made, options).into_iter()), Mutex::new(Found::default()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                while let Some(place) = { next.lock().unwrap().next() } {
                    runtime.block_on(flip(&place, &made, (&first, &archive), &found));
                }
            });
        }
    });
    found.into_inner().unwrap()
}

/// Half of the places are anywhere, half where there is something else than zeros: stores are mostly room for more.
fn places(made: &Made, options: &Options) -> Vec<Place> {
    let mut rng = Rng::with_seed(options.seed);
    let mut files: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for (kind, file) in kinds(made.folder.path()).into_iter().filter(|(kind, _)| kind.contains(&options.only)) {
        files.entry(kind).or_default().push(file);
    }
    let mut places = Vec::new();
    for (kind, files) in files {
        for number in 0..options.places {
            let file = files[rng.usize(0..files.len())].clone();
            let bytes = fs::read(made.folder.path().join(&file)).unwrap();
            let written: Vec<usize> = (0..bytes.len()).filter(|byte| bytes[*byte] != 0).collect();
            let byte = if number % 2 == 0 || written.is_empty() {
                rng.usize(0..bytes.len())
            } else {
                written[rng.usize(0..written.len())]
            };
            places.push(Place { kind: kind.clone(), file, byte, bit: rng.u32(0..8) });
        }
    }
    places
}

async fn flip(place: &Place, made: &Made, before: (&Asked, &[u8]), found: &Mutex<Found>) {
    let folder = copied(made.folder.path());
    let path = folder.path().join(&place.file);
    let mut bytes = fs::read(&path).unwrap();
    bytes[place.byte] ^= 1 << place.bit;
    fs::write(&path, bytes).unwrap();
    let said = open(folder.path(), made, before).await;
    let judged = said.and_then(|said| verdict(&said).map(|verdict| (verdict, said.served)));
    let mut found = found.lock().unwrap();
    let count = found.counts.entry(place.kind.clone()).or_default();
    match judged {
        Ok((verdict, served)) => {
            *count.verdicts.entry(verdict).or_default() += 1;
            count.refused += usize::from(matches!(served, Served::Refuses(_)));
            count.silent += usize::from(matches!(served, Served::Tells(Again::NotAll(_))));
        }
        Err(problem) => {
            count.wrong += 1;
            let Place { file, byte, bit, .. } = place;
            let fault = format!("{}, byte {byte}, bit {bit}: {problem}", file.display());
            // A long run tells what it finds when it finds it.
            eprintln!("{fault}");
            found.faults.push(fault);
        }
    }
}

impl Found {
    pub fn table(&self) -> String {
        let mut lines = vec![
            "| a bit of | places | harmless | derived | beside the log | damage | no start | reads fail | told otherwise, or not alike |".to_owned(),
            "|---|---|---|---|---|---|---|---|---|".to_owned(),
        ];
        for (kind, count) in &self.counts {
            let of = |verdict| count.verdicts.get(&verdict).copied().unwrap_or_default();
            let places = count.verdicts.values().sum::<usize>() + count.wrong;
            let verdicts = [Verdict::Harmless, Verdict::Derived, Verdict::Beside, Verdict::Damage].map(of);
            let [harmless, derived, beside, damage] = verdicts;
            let Count { refused, silent, wrong, .. } = count;
            lines.push(format!(
                "| `{kind}` | {places} | {harmless} | {derived} | {beside} | {damage} | {refused} | {silent} | {wrong} |"
            ));
        }
        lines.join("\n")
    }
}
