//! Exit codes and the words that go with them.

use std::{fs, io::Write, net::TcpListener, thread};

use crate::{Village, failure, server::Ledger, server::timebank};

#[test]
fn exit_codes_are_those_of_the_help() {
    let help = String::from_utf8(timebank(&["--help"]).output().unwrap().stdout).unwrap();
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let promised = [
        "0 done;",
        "1 refused by a rule of the ledger (nothing was written);",
        "2 wrong usage, or a file that can't be read;",
        "3 the server can't be reached, or the outcome is unknown",
        "4 done in part: some sheets or rows were refused, or what is left is named;",
    ];
    for words in promised {
        assert!(help.contains(words), "{words}: {help}");
    }

    let village = Village::new();
    let run = |arguments: &[&str]| failure(&village.ledger.command(arguments).output().unwrap());
    assert_eq!(run(&["status"]), (Some(0), String::new()));

    let size = village.size();
    let nobody = "00000000000000000000000000000000";
    let refused: [(&[&str], &str); 6] = [
        (&["region", "define", "leeds"], "RegionExists"),
        (&village.record("-5", &[]), "MinutesNotPositive"),
        (&["balance", nobody], "AccountUnknown"),
        (&["history", nobody], "AccountUnknown"),
        (&["account", "show", nobody], "AccountUnknown"),
        (&["hold", "release", "4.0"], "HoldUnknown"),
    ];
    for (arguments, rule) in refused {
        let (code, error) = run(arguments);
        assert!(code == Some(1) && error.trim_end().ends_with(&format!(" [{rule}]")), "{arguments:?}: {error}");
    }

    let missing = village.path("missing");
    let wrong: [(&[&str], &str); 15] = [
        (&["stat"], "status"),
        (&["status", "--nonsense"], "--nonsense"),
        (&["balance", "alice"], "32 hex digits"),
        (&["hold", "release", "four"], "INDEX.EVENT"),
        (&["record", "--volunteer", nobody, "--station", nobody, "--date", "today"], "--minutes or --hours with it"),
        (&["record", "--volunteer", nobody, "--station", nobody], "--start and --end, or --date"),
        (&["account", "open"], "--station"),
        (&["key", "revoke", "407ae5fa"], "32 hex digits"),
        (&["transfer", "--from", nobody, "--to", nobody, "--minutes", "1.5"], "whole number of minutes"),
        (&["record", "--volunteer", nobody, "--station", nobody, "--date", "soon", "--hours", "1"], "2026-03-01"),
        (&["region", "define", "york", "--key", &missing], &missing),
        (&["region", "define", "york", "--cosign", &missing], &missing),
        (&["key", "show", &missing], &missing),
        (&["submit", &missing], "can't be read"),
        (&["import", &missing, "--mapping", &missing], &missing),
    ];
    for (arguments, words) in wrong {
        let (code, error) = run(arguments);
        assert!(code == Some(2) && error.contains(words), "{arguments:?} exits with {code:?}: {error}");
    }
    assert_eq!(village.size(), size, "nothing was written");
}

#[test]
fn a_server_that_is_not_there_is_said_so_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = format!("http://{free}");
    let id = "00000000000000000000000000000000";
    let commands: [&[&str]; 10] = [
        &["status"],
        &["balance", id],
        &["history", id],
        &["account", "list"],
        &["key", "list"],
        &["hold", "list"],
        &["watch"],
        &["region", "define", "leeds"],
        &["record", "--volunteer", id, "--station", id, "--date", "today", "--minutes", "1"],
        &["submit", "monday.sheet"],
    ];
    for arguments in commands {
        let output = timebank(arguments).args(["--server", &server, "--data"]).arg(folder.path()).output().unwrap();
        let (code, error) = failure(&output);
        assert_eq!(code, Some(3), "{arguments:?}: {error}");
        assert!(error.contains(&server), "{arguments:?}: {error}");
        assert!(error.contains("`timebank serve`") && error.contains("--server"), "{arguments:?}: {error}");
        assert_eq!(error.contains("--to-file"), arguments[0] == "record", "where it can be signed: {error}");
        assert!(output.stdout.is_empty(), "{arguments:?} printed something");
    }
    let kept = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(kept, 0, "what was never sent needs no keeping");
}

#[test]
fn something_else_that_answers_is_no_ledger() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming() {
            // It went away: so much the better.
            let _gone = client.and_then(|mut client| client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
        }
    });
    let (code, error) = failure(&timebank(&["status", "--server", &server]).output().unwrap());
    assert_eq!(code, Some(3), "{error}");
    assert!(error.contains("the server can't be reached") && !error.contains("unknown"), "a read: {error}");
}

#[test]
fn an_address_that_no_server_can_have_is_wrong_usage() {
    let ledger = Ledger::new();
    let address = ledger.url.strip_prefix("http://").unwrap();
    for server in ["https://", "ftp://", "unix://", "http://a b "].map(|scheme| format!("{scheme}{address}")) {
        let (code, error) = failure(&timebank(&["status", "--server", &server]).output().unwrap());
        assert_eq!(code, Some(2), "{error}");
        assert!(error.contains(&server) && error.contains("http://HOST:PORT"), "{error}");
    }
    let bare = timebank(&["status", "--server", address]).output().unwrap();
    assert_eq!(failure(&bare), (Some(0), String::new()), "without a scheme it is http");
}

#[test]
fn a_mapping_with_a_field_that_nobody_knows_is_refused_by_its_name() {
    let ledger = Ledger::new();
    let (file, mapping) = (ledger.folder.path().join("file.csv"), ledger.folder.path().join("mapping.toml"));
    fs::write(&file, "id,person\n1,alice\n").unwrap();
    let import = ["import", file.to_str().unwrap(), "--mapping", mapping.to_str().unwrap()];
    let good = "source = \"small\"\n[columns]\nrecord = \"id\"\nvolunteer = \"person\"\n";
    let wrong = [
        (format!("sauce = \"small\"\n{good}"), "sauce"),
        (format!("{good}volunter = \"person\"\n"), "volunter"),
        (format!("{good}[constants]\nminuets = \"30\"\n"), "minuets"),
        (format!("{good}[operations]\nremove = \"D\"\n"), "remove"),
        (format!("{good}[volunteer_if]\ncolumn = \"id\"\nis = \"1\"\n"), "`is`"),
        (format!("account_kind = \"robot\"\n{good}"), "robot"),
        ("[columns]\nrecord = \"id\"\n".to_owned(), "source"),
    ];
    for (text, named) in wrong {
        fs::write(&mapping, &text).unwrap();
        let (code, error) = failure(&ledger.run(&import));
        assert_eq!(code, Some(2), "{text}: {error}");
        assert!(error.contains(named) && error.contains("mapping.toml"), "{text}: {error}");
    }
    assert_eq!(ledger.json(&["status"])["size"], 1);
}

#[test]
fn a_file_of_another_kind_is_said_to_be_one() {
    let village = Village::new();
    let (file, archive) = (village.path("bytes"), village.path("a.archive"));
    fs::write(&file, [0xff, 0xfe, 0, 1, 2, 3]).unwrap();
    let exported = timebank(&["export", "--out", &archive, "--server", &village.ledger.url]).output().unwrap();
    assert_eq!(exported.status.code(), Some(0));
    let size = village.size();
    let url = &village.ledger.url;
    let with_server = [
        village.record("5", &["--key", &file]),
        vec!["key", "show", &file],
        vec!["import", &file, "--mapping", &file],
        vec!["submit", &file],
        vec!["submit", &archive],
    ];
    let others = [
        vec!["prove", "--since", &file, "--server", url],
        vec!["export", "--out", "x", "--checkpoint", &file, "--server", url],
        vec!["serve", "--policy", &file, "--data", "new"],
        vec!["audit", "--archive", &archive, "--pin", &file],
        vec!["audit", "--archive", &archive, "--witness-policy", &file],
        vec!["mirror", "--check", "--pin", &file, "folder"],
    ];
    let with_server = with_server.iter().map(|arguments| village.ledger.command(arguments));
    for mut command in with_server.chain(others.iter().map(|arguments| timebank(arguments))) {
        let output = command.current_dir(village.ledger.folder.path()).output().unwrap();
        let (code, error) = failure(&output);
        assert_eq!(code, Some(2), "{command:?}: {error}");
        let text = format!("{}{error}", String::from_utf8(output.stdout).unwrap()).replace('\n', " ");
        let told = ["something else", "no sheet"].iter().any(|words| text.contains(words));
        assert!(told && !text.to_lowercase().contains("utf-8"), "{command:?}: {text}");
    }
    assert_eq!(village.size(), size);
}
