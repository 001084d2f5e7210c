//! `timebank simulate`

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::json;

use super::{
    output::{Failure, progress, table, tell, usage},
    process,
};
use crate::{
    folder::simulation::{self, Happened},
    ledger::Text,
};

/// Try the ledger's writer on machines on which things go wrong, by seed.
///
/// Each seed is a small town, a disk that fails, tears, fills up, is slow or loses what was not synced, a process that is
/// killed in the middle, and people who send again, race and go away; time is simulated as well. After each step all that
/// was acknowledged has to be in the log, once, and at the end an audit has to agree. Nothing on this machine is read or
/// written but temporary files. What happened, and how often, is printed; a seed that finds a fault can be run again alone.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  timebank simulate --seeds 2000
  timebank simulate --seed 1234 --steps       one seed, told step by step")]
pub(crate) struct Arguments {
    /// How many seeds to run, one after another [default: 100, or the one that --seed names].
    #[arg(long, value_name = "NUMBER")]
    seeds: Option<u64>,
    /// The first of them [default: 0].
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// Tell each step of a single seed.
    #[arg(long)]
    steps: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Seeds where nobody says how many.
const SEEDS: u64 = 100;

/// The lowest seed that found a fault, and the fault.
type Found = Option<(u64, String)>;

pub(crate) async fn run(Arguments { seeds, seed, steps, json }: Arguments) -> anyhow::Result<()> {
    let seeds = seeds.unwrap_or(if seed.is_some() { 1 } else { SEEDS });
    let first = seed.unwrap_or_default();
    if seeds == 0 {
        return Err(usage("--seeds 0: expected one or more"));
    }
    if steps && seeds > 1 {
        return Err(usage("--steps tells a single seed: name it with --seed"));
    }
    let last = first.checked_add(seeds).ok_or_else(|| usage("--seed and --seeds: expected seeds below 2^64"))?;
    let ((happened, found), was_stopped) = process::interruptible(move |is_stopped| {
        let bar = progress(Some(seeds), "seeds");
        let all = run_all(first..last, steps, &|| bar.inc(1), is_stopped);
        bar.finish_and_clear();
        (all, is_stopped())
    })
    .await?;
    if let Some((seed, problem)) = found {
        let again = format!("Run it again, step by step, with `timebank simulate --seed {seed} --steps`");
        return Err(Failure::refused(format!("seed {seed}: {problem}. {again}")).into());
    }
    if was_stopped {
        return Err(usage("interrupted: no fault was found up to there"));
    }
    report(first, seeds, &happened, json);
    Ok(())
}

/// Runs seeds on all cores, until one of them finds a fault or somebody wants no more.
fn run_all(
    mut seeds: std::ops::Range<u64>,
    steps: bool,
    done: &(dyn Fn() + Sync),
    is_stopped: &(dyn Fn() -> bool + Sync),
) -> (Happened, Found) {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let left = Mutex::new(move || seeds.next());
    let results = Mutex::new((Happened::new(), Found::None));
    // Threads of their own: a run waits for those that entries are prepared on.
    let run = || {
        while !is_stopped() && locked(&results).1.is_none() {
            let Some(seed) = locked(&left)() else { return };
            let told = move |line: String| {
                if steps {
                    process::announce(&line);
                }
            };
            let ran = simulation::run(seed, told);
            let (all, found) = &mut *locked(&results);
            match ran {
                Ok(happened) => {
                    for (what, times) in happened {
                        *all.entry(what).or_default() += times;
                    }
                }
                Err(problem) if found.as_ref().is_none_or(|(first, _)| seed < *first) => *found = Some((seed, problem)),
                Err(_) => {}
            }
            done();
        }
    };
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(run))));
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn locked<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn report(first: u64, seeds: u64, happened: &BTreeMap<String, u64>, as_json: bool) {
    let value = json!({ "first_seed": first, "seeds": seeds, "happened": happened });
    tell(as_json, &value, || {
        let header = [Text::new("times", "次数"), Text::new("what happened", "发生了什么")];
        let table = table(&header, &[0], happened.iter().map(|(what, times)| vec![times.to_string(), what.clone()]));
        let which = if seeds == 1 { format!("seed {first}") } else { format!("{seeds} seeds from {first} on") };
        format!("{table}\n{which}: nothing acknowledged was lost, doubled or changed")
    });
}
