//! `timebank bench`: a small one, and what can't be measured.

use super::*;

#[test]
fn a_bench_measures_what_it_grew_and_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().to_str().unwrap();
    let bench = ["bench", "--accounts", "3000", "--keys", "0.1", "--records", "0.5", "--json", "--folder", folder];
    let output = timebank(&bench).output().unwrap();
    assert_eq!(failure(&output).0, Some(0), "{}", failure(&output).1);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["accounts"], &told["record_days"]), (&3_000.into(), &3.into()), "{told}");
    let restarts: Vec<_> = told["restarts"].as_array().unwrap().iter().map(|start| &start["accounts"]).collect();
    assert_eq!(restarts, [600, 3_000]);
    assert!(told["openings_per_second"].as_f64().is_some_and(|rate| rate > 0.0), "{told}");
    assert_eq!(told["bytes_per_account"].is_null(), told["restarts"][0]["resident_bytes"].is_null(), "{told}");
    assert_eq!(told["bytes_per_account"].is_null(), told["growing_bytes_per_account"].is_null(), "{told}");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0, "the folder is removed");
}

#[test]
fn a_bench_that_is_asked_to_end_ends_and_leaves_nothing() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().to_str().unwrap();
    let mut bench = timebank(&["bench", "--accounts", "5000000", "--folder", folder]);
    let mut bench = Running(bench.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let log =
        || fs::read_dir(place.path()).unwrap().find(|made| made.as_ref().unwrap().path().join("checkpoint").exists());
    let begun = std::time::Instant::now();
    while log().is_none() {
        assert!(begun.elapsed() < PATIENCE, "it begins");
        std::thread::sleep(Duration::from_millis(10));
    }
    // In the midst of it: a first commit was published, and millions of accounts are left.
    let pid = bench.0.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let ended = loop {
        if let Some(status) = bench.0.try_wait().unwrap() {
            break status;
        }
        assert!(begun.elapsed() < PATIENCE, "it ends");
        std::thread::sleep(Duration::from_millis(10));
    };
    let mut error = String::new();
    bench.0.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert_eq!((ended.code(), error.trim()), (Some(2), "error: interrupted"));
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0, "the folder is removed");
}

#[test]
fn what_can_not_be_measured_is_a_wrong_usage() {
    let wrong: [(&[&str], &str); 6] = [
        (&["--accounts", "4"], "--accounts 4: a slope needs 5 accounts or more"),
        (&["--accounts", "many"], "--accounts"),
        (&["--accounts", "18446744073709551615"], "a ledger has numbers for 4000000000 of them"),
        (&["--keys", "1.01"], "expected a number from 0 to 1"),
        (&["--records", "NaN"], "expected a number from 0 to 1"),
        (&["--folder", "/no/such/folder"], "--folder /no/such/folder"),
    ];
    for (arguments, words) in wrong {
        let output = timebank(&[&["bench"], arguments].concat()).output().unwrap();
        let (code, error) = failure(&output);
        assert_eq!(code, Some(2), "{arguments:?}: {error}");
        assert!(error.contains(words), "{arguments:?}: {error}");
    }
}
