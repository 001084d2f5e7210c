//! States of several lives, chosen by a seed, each rebuilt, opened and held to what was told.

use std::{collections::BTreeSet, sync::Mutex, thread};

use fastrand::Rng;

use super::{
    check::{Expected, Outcome, check},
    disk::{Change, Image},
    fate::{Chance, Kind},
    found::{Found, Moment},
    life::{Before, Ending, Life, Run, live},
    told::Told,
    tools,
};

/// How many states are wanted, of how many lives of how many sheets a run, and by which seed. It chooses sheets, kills, moments
/// and fates; when threads run is the machine's choice, so that no two runs record the same.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub states: usize,
    pub lives: usize,
    pub sheets: usize,
    pub seed: u64,
    /// Of so many states one is also read by all others who read a data folder, who take ten times as long as a start.
    pub read_by_all_every: usize,
}

/// One state: of which life, after which line of its trace, of which kind.
#[derive(Debug, Clone)]
struct State {
    life: usize,
    moment: Moment,
    line: usize,
    kind: Kind,
    /// What is there of what wasn't synced.
    seed: u64,
    number: usize,
}

/// Lives, and dies of power cuts.
///
/// # Errors
/// What the recorder doesn't understand.
pub fn run(options: Options) -> Result<Found, String> {
    let lives = lives(options)?;
    let mut found = Found::of(&lives);
    let states = choose(&lives, options, &mut found);
    let (next, found) = (Mutex::new(states.into_iter()), Mutex::new(found));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                while let Some(state) = { next.lock().unwrap().next() } {
                    let opened = runtime.block_on(open(&lives[state.life], &state, options.read_by_all_every));
                    let mut found = found.lock().unwrap();
                    match opened {
                        Ok((outcome, verdict)) => found.add((state.kind, state.moment, outcome), verdict),
                        Err(fault) => found.faults.push(format!("{}: {fault}", words(&state, options.seed))),
                    }
                }
            });
        }
    });
    Ok(found.into_inner().unwrap())
}

fn words(State { life, line, kind, number, .. }: &State, seed: u64) -> String {
    format!("state {number} of seed {seed} (life {life}, after line {line}, {})", kind.name())
}

/// In turn one that begins undisturbed, one that is killed again and again as it begins, and one that goes on with what a
/// power cut left of an earlier one.
fn lives(options: Options) -> Result<Vec<Life>, String> {
    let (mut lives, mut rng): (Vec<Life>, Rng) = (Vec::new(), Rng::with_seed(options.seed));
    for number in 0..options.lives {
        let before = if number % 3 == 2 { cut(&lives[rng.usize(0..number)], &mut rng) } else { Before::default() };
        let runs = runs(number % 3 == 1, options.sheets, &mut rng);
        lives.push(live(before, &runs, &mut rng).map_err(|problem| format!("life {number}: {problem}"))?);
    }
    Ok(lives)
}

/// Ends a life at a moment after something was told.
fn cut(life: &Life, rng: &mut Rng) -> Before {
    let lines: Vec<usize> = life.told.iter().map(|(line, _)| *line).collect();
    let line = lines[rng.usize(lines.len() / 4..lines.len())];
    let kind = [Kind::AllLost, Kind::Torn512, Kind::AnySubset][rng.usize(0..3)];
    let image = image(life, line, kind, rng.u64(..));
    Before { image, told: told(life, line).cloned().collect(), sheets: life.sheets.clone() }
}

/// What had been told by then.
fn told(life: &Life, line: usize) -> impl Iterator<Item = &Told> {
    life.told.iter().filter(move |(told, _)| *told <= line).map(|(_, told)| told)
}

fn image(life: &Life, line: usize, kind: Kind, seed: u64) -> Image {
    let begun = life.disk.begun(line).into_iter();
    let pending: Vec<usize> = begun.filter(|(_, is_synced)| !is_synced).map(|(number, _)| number).collect();
    life.disk.image(line, &mut Chance::new(kind, &pending, Rng::with_seed(seed)))
}

fn runs(is_killed_early: bool, sheets: usize, rng: &mut Rng) -> Vec<Run> {
    let at = |call: &str, most: usize, rng: &mut Rng| {
        Ending::KillAt(format!("{call}:signal=KILL:when={}", rng.usize(1..=most)))
    };
    let mut runs = Vec::new();
    if is_killed_early {
        // Before the store's first syncs, within them, and then anywhere in what a first start makes.
        for (call, most) in [("pwrite64", 1), ("fsync", 5), ("?rename,?renameat,renameat2", 4), ("fsync", 16)] {
            runs.push(Run { sheets: 0, ending: at(call, most, rng) });
        }
    }
    runs.extend([
        Run { sheets, ending: Ending::Orderly },
        Run { sheets, ending: Ending::Kill(rng.usize(1..=sheets)) },
        Run { sheets, ending: at("fdatasync", sheets / 4, rng) },
        // Shows what that one left, and ends at once.
        Run { sheets: 0, ending: Ending::Kill(0) },
        Run { sheets: sheets / 4, ending: Ending::Orderly },
    ]);
    runs
}

/// All moments of all lives at which something changes: those of syncs take turns with the others.
fn moments(lives: &[Life], rng: &mut Rng) -> Vec<(usize, Moment, usize)> {
    let (mut syncs, mut others) = (Vec::new(), Vec::new());
    for (number, life) in lives.iter().enumerate() {
        for step in &life.disk.steps {
            match (&step.change, step.ended) {
                (Change::Sync(_), Some(ended)) => {
                    syncs.extend([(number, Moment::BeforeSync, ended - 1), (number, Moment::AfterSync, ended)]);
                }
                (_, ended) => {
                    let lines = [step.began].into_iter().chain(ended);
                    others.extend(lines.map(|line| (number, Moment::Between, line)));
                }
            }
        }
        let told = life.told.iter().filter(|(line, _)| *line > 0);
        others.extend(told.map(|(line, _)| (number, Moment::Told, *line)));
    }
    rng.shuffle(&mut syncs);
    rng.shuffle(&mut others);
    let in_turn = syncs.len().min(others.len());
    let (late_syncs, late_others) = (syncs.split_off(in_turn), others.split_off(in_turn));
    let pairs = syncs.into_iter().zip(others).flat_map(|(sync, other)| [sync, other]);
    pairs.chain(late_syncs).chain(late_others).collect()
}

/// States, no two of which have the same folder and the same things told.
fn choose(lives: &[Life], options: Options, found: &mut Found) -> Vec<State> {
    let mut rng = Rng::with_seed(options.seed ^ 1);
    let moments = moments(lives, &mut rng);
    let (mut seen, mut states) = (BTreeSet::new(), Vec::new());
    // In each round every moment has another kind.
    let rounds =
        Kind::ALL.iter().enumerate().flat_map(|(round, _)| moments.iter().enumerate().map(move |at| (round, at)));
    for (round, (at, (life, moment, line))) in rounds {
        if states.len() == options.states {
            break;
        }
        let (kind, seed) = (Kind::ALL[(round + at) % Kind::ALL.len()], rng.u64(..));
        let told = told(&lives[*life], *line).count();
        if seen.insert((*life, told, image(&lives[*life], *line, kind, seed).digest())) {
            states.push(State { life: *life, moment: *moment, line: *line, kind, seed, number: states.len() });
            found.untold += usize::from(told == 0);
        }
        if matches!(moment, Moment::BeforeSync | Moment::AfterSync) {
            found.sync_moments.insert((*life, *line));
        }
    }
    states
}

async fn open(
    life: &Life,
    state: &State,
    read_by_all_every: usize,
) -> Result<(Outcome, Option<tools::Verdict>), String> {
    let (folder, image) = (tempfile::tempdir().unwrap(), image(life, state.line, state.kind, state.seed));
    image.write(folder.path()).unwrap();
    let told: Vec<&Told> = told(life, state.line).collect();
    let is_told = !told.is_empty();
    let outcome = check(folder.path(), &Expected { told, sheets: &life.sheets }).await?;
    let is_read_by_all = state.number.is_multiple_of(read_by_all_every);
    let verdict = is_read_by_all.then(|| tools::agree(&image, is_told)).transpose()?;
    Ok((outcome, verdict))
}
