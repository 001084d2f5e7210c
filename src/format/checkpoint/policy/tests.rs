#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use super::*;
use crate::format::{
    checkpoint::{cosignature::cosign, sign},
    signature::PrivateKey,
};

fn ledger() -> VerifierKey {
    VerifierKey::new("timebank.example", PrivateKey::from_seed([1; 32]).public_key()).unwrap()
}

fn witness(seed: u8) -> WitnessKey {
    WitnessKey::new(&format!("w{seed}.example"), PrivateKey::from_seed([seed; 32]).public_key()).unwrap()
}

/// A checkpoint cosigned by these witnesses.
fn cosigned(seeds: &[u8]) -> String {
    let mut note = sign("timebank.example", 3, &[7; 32], PrivateKey::from_seed([1; 32]).signing_key());
    let text = Note::parse(note.as_bytes()).unwrap().text().to_owned();
    for seed in seeds {
        note += &cosign(&text, &witness(*seed), 9, PrivateKey::from_seed([*seed; 32]).signing_key());
    }
    note
}

/// The example of the specification, with keys.
fn two_levels() -> String {
    let names = ["X1", "X2", "X3", "Y1", "Y2", "Y3"];
    let witnesses = names.iter().zip(11..).map(|(name, seed)| format!("witness {name} {}", witness(seed)));
    let witnesses = witnesses.collect::<Vec<_>>().join("\n");
    format!(
        "log {}\n\n# Two organisations\n{witnesses}\n\tgroup X-witnesses 2 X1 X2 X3 \ngroup Y-witnesses any Y1 Y2 \
         Y3\n\n group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n",
        ledger()
    )
}

fn satisfied(policy: &str, seeds: &[u8]) -> Result<Vec<String>, Unsatisfied> {
    let policy = WitnessPolicy::parse(policy).unwrap();
    let note = cosigned(seeds);
    let names = policy.satisfied(&Note::parse(note.as_bytes()).unwrap());
    names.map(|names| names.into_iter().map(str::to_owned).collect())
}

fn missed(rule: &str, missing: &[&str]) -> Result<Vec<String>, Unsatisfied> {
    let missing = missing.iter().map(|name| (*name).to_owned()).collect();
    Err(Unsatisfied::QuorumMissed { rule: rule.to_owned(), missing })
}

#[test]
fn a_quorum_of_two_levels_names_who_is_missing() {
    let names = |names: &[&str]| Ok(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(satisfied(&two_levels(), &[11, 13, 15]), names(&["X1", "X3", "Y2"]));
    assert_eq!(satisfied(&two_levels(), &[16, 13, 12, 11]), names(&["X1", "X2", "X3", "Y3"]));
    let one = "2 of 2 in X-and-Y are needed";
    assert_eq!(satisfied(&two_levels(), &[11, 13]), missed(&format!("{one}, 1 are there"), &["Y1", "Y2", "Y3"]));
    assert_eq!(satisfied(&two_levels(), &[11, 14]), missed(&format!("{one}, 1 are there"), &["X2", "X3"]));
    let nobody = missed(&format!("{one}, 0 are there"), &["X1", "X2", "X3", "Y1", "Y2", "Y3"]);
    assert_eq!(satisfied(&two_levels(), &[]), nobody);
    assert_eq!(satisfied(&two_levels(), &[99]), nobody, "a stranger");
}

#[test]
fn k_of_n_needs_k() {
    for needed in 1..=3 {
        let witnesses = (11..14).map(|seed| format!("witness w{seed} {}", witness(seed))).collect::<Vec<_>>();
        let witnesses = witnesses.join("\n");
        let policy = format!("{witnesses}\ngroup g {needed} w11 w12 w13\nquorum g\n");
        for count in 0..=3_u8 {
            let seeds: Vec<u8> = (11..11 + count).collect();
            assert_eq!(satisfied(&policy, &seeds).is_ok(), count >= needed, "{count} of {needed}");
        }
    }
}

#[test]
fn one_witness_or_none_can_be_the_quorum() {
    let one = format!("witness w {} http://127.0.0.1:1/\nquorum w\n", witness(11));
    assert_eq!(satisfied(&one, &[11]), Ok(vec!["w".to_owned()]));
    assert_eq!(satisfied(&one, &[12]), missed("1 of 1 is needed, 0 are there", &["w"]));
    assert_eq!(satisfied("quorum none\n", &[]), Ok(vec![]));
    let policy = WitnessPolicy::any_of([(witness(11), "u".to_owned()), (witness(12), "v".to_owned())]).unwrap();
    let note = cosigned(&[12]);
    assert_eq!(policy.satisfied(&Note::parse(note.as_bytes()).unwrap()), Ok(vec!["w12.example"]));
    let note = cosigned(&[]);
    assert!(policy.satisfied(&Note::parse(note.as_bytes()).unwrap()).is_err());
    let twice = WitnessPolicy::any_of([(witness(11), "u".to_owned()), (witness(11), "v".to_owned())]);
    assert_eq!(twice, Err(PolicyProblem::KeyRepeated));
}

#[test]
fn a_note_of_another_ledger_or_with_a_forged_cosignature_is_not_good_enough() {
    let other = VerifierKey::new("other.example", PrivateKey::from_seed([5; 32]).public_key()).unwrap();
    let policy = two_levels().replace(&ledger().to_string(), &other.to_string());
    assert_eq!(satisfied(&policy, &[11, 12, 14]), Err(Unsatisfied::Log(NoteError::SignerUnknown)));
    let policy = WitnessPolicy::parse(&two_levels()).unwrap();
    let mut note = cosigned(&[11, 12, 14]);
    let forged = cosign("other\n", &witness(16), 9, PrivateKey::from_seed([16; 32]).signing_key());
    note += &forged;
    let expected = CosignatureError::SignatureInvalid { name: "w16.example".to_owned() };
    let found = policy.satisfied(&Note::parse(note.as_bytes()).unwrap());
    assert_eq!(found, Err(Unsatisfied::Cosignature(expected)));
}

#[test]
fn a_policy_that_is_unclear_is_refused_with_its_line() {
    let check = |text: &str, line: usize, problem: PolicyProblem| {
        assert_eq!(WitnessPolicy::parse(text), Err(PolicyError { line, problem }), "{text}");
    };
    let (a, b) = (format!("witness a {}\n", witness(11)), format!("witness b {}\n", witness(12)));
    let name = |name: &str| name.to_owned();
    check("", 1, PolicyProblem::QuorumMissing);
    check(&a, 2, PolicyProblem::QuorumMissing);
    check("quorum none", 1, PolicyProblem::NewlineMissing);
    check("quorum none\r\n", 1, PolicyProblem::ControlCharacter);
    check("quorum none\nquorum none\n", 2, PolicyProblem::QuorumRepeated);
    check("quorum a\n", 1, PolicyProblem::NameUnknown { name: name("a") });
    for bad in ["quorum\n", "quorum a b\n", "witness a\n", "log\n", "group g all\n", "Quorum none\n", "x # y\n"] {
        check(bad, 1, PolicyProblem::Malformed);
    }
    check(&format!("witness a {} u v\n", witness(11)), 1, PolicyProblem::Malformed);
    let wrong = PolicyProblem::Key(VerifierKeyError::AlgorithmUnknown { found: 1 });
    check(&format!("witness a {}\n", ledger()), 1, wrong);
    check(&format!("{a}witness b {}\n", witness(11)), 2, PolicyProblem::KeyRepeated);
    check(&format!("{a}witness a {}\n", witness(12)), 2, PolicyProblem::NameTaken { name: name("a") });
    check(&format!("witness none {}\n", witness(11)), 1, PolicyProblem::NameTaken { name: name("none") });
    check(&format!("{a}group a all a\n"), 2, PolicyProblem::NameTaken { name: name("a") });
    check(&format!("{a}group g all a b\n{b}"), 2, PolicyProblem::NameUnknown { name: name("b") });
    check(&format!("{a}group g all g\n"), 2, PolicyProblem::NameUnknown { name: name("g") });
    check(&format!("{a}group g all a a\n"), 2, PolicyProblem::MemberRepeated { name: name("a") });
    check(&format!("{a}{b}group g any a b\ngroup h any a\n"), 4, PolicyProblem::MemberRepeated { name: name("a") });
    for threshold in ["0", "3", "-1", "+1", "ALL", "1.0"] {
        let expected = PolicyProblem::ThresholdOutOfRange { members: 2 };
        check(&format!("{a}{b}group g {threshold} a b\n"), 3, expected);
    }
    check(&"#".repeat(POLICY_BYTES_MAX + 1), 1, PolicyProblem::TooLarge);
}

#[test]
fn two_keys_that_answer_to_one_name_and_hash_are_refused() {
    // Found by trying: of 65,000 keys two have a hash in common as likely as not.
    let key = |number: u32| {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&number.to_le_bytes());
        WitnessKey::new("w.example", PrivateKey::from_seed(seed).public_key()).unwrap()
    };
    let (one, other) = (key(55_442), key(96_780));
    assert_ne!(one, other);
    let text = format!("witness a {one}\nwitness b {other}\nquorum a\n");
    let problem = PolicyProblem::KeyAmbiguous { name: "w.example".to_owned(), key_hash: one.key_hash() };
    assert_eq!(WitnessPolicy::parse(&text), Err(PolicyError { line: 2, problem: problem.clone() }));
    assert_eq!(WitnessPolicy::any_of([(one, "u".to_owned()), (other, "v".to_owned())]), Err(problem));
}
