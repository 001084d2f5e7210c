//! A client that was written without a line of our code talks to the real server.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests stop at the first surprise")]

#[path = "support/program.rs"]
mod program;

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may be dead already.
        let _dead = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
#[ignore = "needs Python with packages: `.ci/run` sees to them"]
fn a_python_client_records_reads_and_is_refused() {
    let python = std::env::var("TIMEBANK_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let folder = tempfile::tempdir().unwrap();
    let mut serve = program::program();
    serve.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder.path());
    let mut server = Server(serve.stdout(Stdio::piped()).spawn().unwrap());
    let lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let serving = lines.map_while(Result::ok).find(|line| line.starts_with("serving ")).expect("it serves");
    let address = serving.rsplit_once("http://").unwrap().1;
    let enrolled = folder.path().join("enrolled.key");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python_client.py");
    let output = Command::new(&python)
        .arg(script)
        .args([address, "--key"])
        .arg(folder.path().join("operator.key"))
        .arg("--enrol")
        .arg(&enrolled)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("the same sheet again gets the first receipt"), "{text}");
    assert!(text.contains("who was enrolled opens an account and records"), "{text}");
    let shown = program::program().args(["key", "show"]).arg(&enrolled).output().unwrap();
    assert!(shown.status.success(), "a key file that Python wrote: {}", String::from_utf8_lossy(&shown.stderr));
}
