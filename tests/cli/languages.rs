//! Two languages: what is named, what the locale says, and what stays English.

use super::*;

impl Village {
    /// What a command of Alice's village says, on both streams, with these variables set.
    fn says(&self, arguments: &[&str], variables: &[(&str, &str)]) -> (Option<i32>, String) {
        let mut command = self.ledger.command(arguments);
        command.env_remove("LC_ALL").envs(variables.iter().copied());
        let output = command.output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), text)
    }
}

#[test]
fn refusals_tables_and_histories_speak_the_language_that_is_asked_for() {
    let village = Village::new();
    village.ledger.json(&village.record("90", &[]));
    let too_long = village.record("600", &[]);
    let chinese =
        "服务了 10 小时，超过一条记录的上限 8 小时。请核对时间；如果确实是几次服务，请分开登记。 [RecordTooLong]";
    let english = "10 h served are more than 8 h, the most for one record.";
    let by_name = [too_long.as_slice(), &["--lang", "zh"]].concat();
    for (arguments, variables, expected) in [
        (&by_name, [("LANG", "en_US.UTF-8")], chinese),
        (&too_long, [("LANG", "zh_CN.UTF-8")], chinese),
        (&too_long, [("TIMEBANK_LANG", "zh-Hans")], chinese),
        (&too_long, [("LANG", "C")], english),
        (&too_long, [("LANG", "de_DE.UTF-8")], english),
    ] {
        let (code, text) = village.says(arguments, &variables);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(expected), "{variables:?}: {text}");
    }
    let (_, history) = village.says(&["history", &village.alice, "--lang", "zh"], &[]);
    let words: String = history.split_whitespace().collect();
    for expected in ["事件入账时间内容变动余额", "服务所得：general，", "1小时30分钟"] {
        assert!(words.contains(expected), "{expected}: {history}");
    }
    // Where no rule says no, only the kind of failure is translated, and the rest is told as it is.
    let (code, text) = village.says(&["prove", "99.0", "--lang", "zh"], &[]);
    assert!(
        code == Some(1) && text.contains("日志里还没有这一条 [EntryUnknown] (the log has no entry 99 yet"),
        "{text}"
    );
    let (_, balance) = village.says(&["balance", &village.alice, "--lang", "zh"], &[]);
    assert_eq!(balance, "余额 1 小时 30 分钟，预约 0 分钟，可用 1 小时 30 分钟（截至第 5 条）\n");
    // What machines read is the same in every language, errors too.
    for arguments in [&["history", &village.alice, "--json"] as &[&str], &[too_long.as_slice(), &["--json"]].concat()] {
        let json = |language: &str| village.says(&[arguments, &["--lang", language]].concat(), &[]);
        assert_eq!(json("zh"), json("en"));
    }
}

#[test]
fn a_language_that_is_not_there_is_a_wrong_argument() {
    let village = Village::new();
    for (arguments, variables) in
        [(vec!["status", "--lang", "fr"], vec![]), (vec!["status"], vec![("TIMEBANK_LANG", "fr")])]
    {
        let (code, text) = village.says(&arguments, &variables);
        assert_eq!(
            (code, text.as_str()),
            (Some(2), "error: --lang or TIMEBANK_LANG fr: spoken are en, English, and zh, Chinese\n")
        );
    }
}

#[test]
fn what_is_refused_before_a_server_is_asked_speaks_the_language_too() {
    let village = Village::new();
    let file = village.ledger.folder.path().join("b.sheet");
    let too_long = village.record("1200", &["--lang", "zh", "--to-file", file.to_str().unwrap()]);
    let (code, text) = village.says(&too_long, &[]);
    assert_eq!(code, Some(1), "{text}");
    for said in ["被拒绝，没有签名", "服务了 20 小时", "[RecordTooLong]"] {
        assert!(text.contains(said), "{said}: {text}");
    }
}
