#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use super::*;

/// Runs of `cargo test`: a few seconds of them. `timebank simulate` does more.
const SEEDS: u64 = 60;

#[test]
fn nothing_acknowledged_is_lost_on_a_machine_on_which_things_go_wrong() {
    let mut all = Happened::new();
    for seed in 0..SEEDS {
        let happened = run(seed, |_| ()).unwrap_or_else(|problem| panic!("seed {seed}: {problem}"));
        for (what, times) in happened {
            *all.entry(what).or_default() += times;
        }
    }
    eprintln!("{all:#?}");
    for what in ["acknowledged", "answered again", "refused by a rule", "killed", "the power is cut", "started"] {
        assert!(all.get(what).is_some_and(|times| *times >= SEEDS / 4), "{what}: {:?}", all.get(what));
    }
}

#[test]
fn a_seed_does_the_same_each_time() {
    let story = |seed| {
        let lines = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
        let kept = std::sync::Arc::clone(&lines);
        let happened = run(seed, move |line| kept.lock().unwrap().push(line)).unwrap();
        (happened, std::mem::take(&mut *lines.lock().unwrap()))
    };
    for seed in [1, 2, 3] {
        assert_eq!(story(seed), story(seed), "seed {seed}");
    }
    assert_ne!(story(1), story(2));
}
