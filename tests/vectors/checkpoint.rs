//! Signed notes and checkpoints of C2SP, Go, transparency-dev and Sigsum.

use base64::{Engine, prelude::BASE64_STANDARD};
use timebank::format::{
    checkpoint::{
        Checkpoint, CheckpointError, Note, NoteError, SIGNATURES_MAX, VerifierKey, VerifierKeyError, WitnessKey,
        cosignature::cosign, open, policy::WitnessPolicy, sign, sign_note,
    },
    signature::PrivateKey,
};

use crate::{json, vector};

/// What Go's test of `note.Open` (`signed-note/gomod_TestOpen_raw.txt`) works on.
const PETER_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const ENOCH_KEY: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const PETER: &str =
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const ENOCH: &str =
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

fn peter() -> VerifierKey {
    PETER_KEY.parse().expect("Peter's key")
}

fn enoch() -> VerifierKey {
    ENOCH_KEY.parse().expect("Enoch's key")
}

/// The names of the signatures of `TEXT` in these lines that verify with these keys.
fn names(lines: &str, keys: &[VerifierKey]) -> Result<Vec<String>, NoteError> {
    let note = format!("{TEXT}\n{lines}");
    let note = Note::parse(note.as_bytes())?;
    assert_eq!(note.text(), TEXT);
    Ok(note.verify(keys)?.iter().map(|signature| signature.name.to_owned()).collect())
}

/// `ABCD` in the middle of the base64, as Go's test has it: at byte 60 of the line.
fn with_abcd(line: &str) -> String {
    let (before, after) = line.split_at(60);
    format!("{before}ABCD{after}")
}

#[test]
fn the_constants_are_those_of_the_vectors() {
    let Some(source) = vector("signed-note/gomod_TestOpen_raw.txt") else { return };
    for part in [PETER_KEY, ENOCH_KEY, TEXT, PETER.trim_end(), ENOCH.trim_end()] {
        assert!(source.contains(part), "{part}");
    }
}

#[test]
fn notes_open_as_in_go() {
    let both = format!("{PETER}{ENOCH}");
    let strings = |names: &[&str]| Ok(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    assert_eq!(names(&both, &[peter()]), strings(&["PeterNeumann"]));
    assert_eq!(names(&both, &[peter(), enoch()]), strings(&["PeterNeumann", "EnochRoot"]));
    assert_eq!(names(&both, &[]), Err(NoteError::SignerUnknown));
    // A key given twice matters only where it is used.
    let ambiguous = NoteError::KeyAmbiguous { name: "EnochRoot".into(), key_hash: 0xaf0c_fe78 };
    assert_eq!(names(ENOCH, &[enoch(), peter(), enoch()]), Err(ambiguous));
    assert_eq!(names(PETER, &[enoch(), peter(), enoch()]), strings(&["PeterNeumann"]));
    // Repeated and unknown signatures.
    let repeated = [PETER, PETER, ENOCH, ENOCH, &with_abcd(ENOCH)].concat();
    assert_eq!(names(&repeated, &[peter()]), strings(&["PeterNeumann"]));
    // A key of that hash with another name, and the other way round, is another key.
    assert_eq!(names(&PETER.replace("PeterNeumann", "CarmenSandiego"), &[peter()]), Err(NoteError::SignerUnknown));
    assert_eq!(names(&PETER.replace("x08g", "xxxx"), &[peter()]), Err(NoteError::SignerUnknown));
    let invalid = NoteError::SignatureInvalid { name: "PeterNeumann".into(), key_hash: 0xc74f_20a3 };
    assert_eq!(names(&with_abcd(PETER), &[peter()]), Err(invalid));
}

#[test]
fn notes_are_refused_as_in_go() {
    let check = |note: &[u8], expected: NoteError| {
        assert_eq!(Note::parse(note), Err(expected), "{}", String::from_utf8_lossy(note));
    };
    let many = format!("{TEXT}\n{}", PETER.repeat(SIGNATURES_MAX + 1));
    check(many.as_bytes(), NoteError::TooManySignatures { count: SIGNATURES_MAX + 1 });
    check(TEXT.as_bytes(), NoteError::SignaturesMissing);
    check(format!("{TEXT}\n").as_bytes(), NoteError::SignaturesMissing);
    check(format!("{TEXT}\n{}", PETER.trim_end()).as_bytes(), NoteError::SignaturesMissing);
    check(format!("\x01{TEXT}\n{PETER}").as_bytes(), NoteError::ControlCharacter { at: 0 });
    check(&[b"\xff", format!("{TEXT}\n{PETER}").as_bytes()].concat(), NoteError::NotUtf8 { at: 0 });
    let unfinished = format!("{TEXT}\n{}", PETER.trim_end().replace("PeterNeumann", "Bad Name"));
    check(unfinished.as_bytes(), NoteError::SignaturesMissing);
    let misnamed = format!("{unfinished}\n");
    check(misnamed.as_bytes(), NoteError::SignatureLineMalformed { line: 1 });
    let unexpected = format!("{TEXT}\n{PETER}Unexpected line.\n");
    check(unexpected.as_bytes(), NoteError::SignatureLineMalformed { line: 2 });
}

#[test]
fn go_s_signing_key_signs_as_in_go() {
    let Some(case) = json("signed-note/gomod_note.json") else { return };
    let field = |name: &str| case[name].as_str().expect("a string");
    // PRIVATE+KEY+<name>+<hash>+<base64>, which may have a plus of its own.
    let encoded = field("skey").splitn(5, '+').last().expect("a signing key");
    let typed = BASE64_STANDARD.decode(encoded).expect("base64");
    let key = PrivateKey::from_seed(typed[1..].try_into().expect("32 bytes"));
    let verifier = VerifierKey::new("PeterNeumann", key.public_key()).expect("a key");
    assert_eq!(verifier.to_string(), field("vkey"));
    let note = sign_note(field("text"), "PeterNeumann", key.signing_key());
    assert_eq!(note, format!("{}\n{}\n", field("text"), field("signature_line")));

    let bad = case["bad_vkeys"].as_array().expect("keys").iter().map(|key| key.as_str().expect("a key").parse());
    // Go decodes the first one and finds its key too long; its base64 has bits after the last byte, refused here.
    let expected = [VerifierKeyError::Malformed, VerifierKeyError::AlgorithmUnknown { found: 0x65 }];
    assert_eq!(bad.collect::<Vec<Result<VerifierKey, _>>>(), expected.map(Err));
}

#[test]
fn the_examples_of_the_specifications_open() {
    let Some(example) = json("c2sp/signed-note-example.json") else { return };
    let note = example["note"].as_str().expect("a note");
    let key: VerifierKey = example["vkey"].as_str().expect("a key").parse().expect("a key");
    assert_eq!(Note::parse(note.as_bytes()).expect("a note").verify(&[key]).expect("verified").len(), 1);

    let poem = vector("c2sp/signed-note-poem.txt").expect("the poem");
    let note = Note::parse(poem.as_bytes()).expect("a note");
    assert_eq!(note.text().lines().count(), 4, "its blank line belongs to the text");
    assert_eq!(note.signatures()[0].name, "quasimodo.example/salvatore");
    assert_eq!(note.verify(&[peter()]), Err(NoteError::SignerUnknown));

    let origin = "example.com/behind-the-sofa";
    let plain = vector("c2sp/checkpoint-example.txt").expect("a checkpoint");
    let cosigned = vector("c2sp/cosigned-checkpoint-example.txt").expect("a checkpoint");
    for (bytes, signers) in [(&plain, 1), (&cosigned, 2)] {
        let note = Note::parse(bytes.as_bytes()).expect("a note");
        let checkpoint = Checkpoint::parse(note.text()).expect("a checkpoint");
        assert_eq!((checkpoint.origin.as_str(), checkpoint.size), (origin, 20_852_163));
        assert!(checkpoint.root_hash().is_ok() && checkpoint.extensions.is_empty());
        assert_eq!(checkpoint.to_string(), note.text());
        assert_eq!(note.signatures().len(), signers);
        // A cosignature is 8 bytes of time before the 64 of the signature.
        assert_eq!(note.signatures()[signers - 1].signature.len(), if signers == 1 { 64 } else { 72 });
        let unknown = CheckpointError::Note(NoteError::SignerUnknown);
        assert_eq!(open(bytes.as_bytes(), &peter(), origin), Err(unknown));
    }
    let text = Checkpoint::parse(Note::parse(plain.as_bytes()).expect("a note").text()).expect("a checkpoint");
    let cosigned_message = vector("c2sp/cosignature-v1-signed-message.txt").expect("a message");
    assert!(cosigned_message.ends_with(&text.to_string()));
}

#[test]
fn checkpoint_texts_parse_as_in_transparency_dev() {
    let Some(cases) = json("checkpoint/formats_unmarshal.json") else { return };
    let cases = cases.as_array().expect("an array");
    for case in cases {
        let (input, found) =
            (case["input"].as_str().expect("a text"), Checkpoint::parse(case["input"].as_str().unwrap()));
        if case["want_err"] == true {
            assert!(found.is_err(), "{}: {found:?}", case["desc"]);
            continue;
        }
        let found = found.unwrap_or_else(|error| panic!("{}: {error}", case["desc"]));
        let expected = Checkpoint {
            origin: case["origin"].as_str().expect("an origin").to_owned(),
            size: case["size"].as_u64().expect("a size"),
            root: case["hash_utf8"].as_str().expect("a root").as_bytes().to_vec(),
            extensions: case["rest"].as_str().unwrap_or_default().to_owned(),
        };
        assert_eq!(found, expected, "{}", case["desc"]);
        assert_eq!(found.to_string(), input, "{}", case["desc"]);
    }
    assert_eq!(cases.len(), 12);
}

#[test]
fn sigsum_s_checkpoint_is_signed_byte_by_byte() {
    let Some(case) = json("checkpoint/sigsum.json") else { return };
    let field = |name: &str| case[name].as_str().expect("a string");
    let seed = hex::decode(field("private_seed_hex")).expect("hex").try_into().expect("32 bytes");
    let key = PrivateKey::from_seed(seed);
    let signed = field("valid_signed");
    let origin = signed.lines().next().expect("an origin");
    let verifier = VerifierKey::new(origin, key.public_key()).expect("a key");
    let checkpoint = open(signed.as_bytes(), &verifier, origin).expect("a checkpoint");
    let root = checkpoint.root_hash().expect("32 bytes");
    assert_eq!(sign(origin, checkpoint.size, &root, key.signing_key()), signed);

    let unsigned = field("unsigned_parse").as_bytes();
    let note = Note::parse(unsigned).expect("a note");
    let parsed = Checkpoint::parse(note.text()).expect("a checkpoint");
    assert_eq!((parsed.origin.as_str(), parsed.size, parsed.root), ("example.org/log", 10, checkpoint.root));
    assert_eq!(BASE64_STANDARD.encode(note.signatures()[0].key_hash.to_be_bytes()), "DEADBA==");
    let unknown = CheckpointError::Note(NoteError::SignerUnknown);
    assert_eq!(open(unsigned, &verifier, origin), Err(unknown));
}

#[test]
fn sigsum_s_cosignature_lines_are_read() {
    let Some(source) = vector("checkpoint/sigsum_cosignature_raw.txt") else { return };
    let lines = source.split_once("testCosignatureMultipleASCII = `\n").and_then(|(_, rest)| rest.split_once('`'));
    let note = format!("{TEXT}\n{}", lines.expect("the lines").0);
    let note = Note::parse(note.as_bytes()).expect("a note");
    let [_, witness] = note.signatures() else { panic!("two lines, not {:?}", note.signatures()) };
    assert_eq!(witness.name, "example.org/witness-key");
    assert_eq!(witness.key_hash.to_be_bytes(), [117, 230, 157, 109]);
    let (time, signature) = witness.signature.split_first_chunk().expect("a time");
    assert_eq!(u64::from_be_bytes(*time), 0xe79f_f9d7_9a75_ca1d);
    assert_eq!((signature.len(), &signature[..3]), (64, [253, 202, 29].as_slice()));
}

#[test]
fn what_is_cosigned_is_the_message_of_the_specification() {
    let Some(message) = vector("c2sp/cosignature-v1-signed-message.txt") else { return };
    let plain = vector("c2sp/checkpoint-example.txt").expect("a checkpoint");
    let text = Note::parse(plain.as_bytes()).expect("a note").text().to_owned();
    let key = PrivateKey::from_seed([4; 32]);
    let name = WitnessKey::new("witness.example.com/w1", key.public_key()).expect("a key");
    // Ed25519 is deterministic: another message would have another signature.
    let line = cosign(&text, &name, 1_679_315_147, key.signing_key());
    let cosigned = format!("{plain}{line}");
    let note = Note::parse(cosigned.as_bytes()).expect("a note");
    let witness = note.signatures().last().expect("a cosignature");
    assert_eq!((witness.name, witness.key_hash), (name.name(), name.key_hash()));
    let (time, signature) = witness.signature.split_first_chunk::<8>().expect("a time");
    assert_eq!(u64::from_be_bytes(*time), 1_679_315_147);
    assert_eq!(signature, key.sign(message.as_bytes()));
}

#[test]
fn the_policy_of_the_specification_asks_for_two_groups() {
    let Some(example) = vector("c2sp/policy-example.txt") else { return };
    let text = vector("c2sp/checkpoint-example.txt").expect("a checkpoint");
    let text = Note::parse(text.as_bytes()).expect("a note").text().to_owned();
    let ledger = PrivateKey::from_seed([1; 32]);
    let witnesses: Vec<_> = (2..8)
        .map(|seed| {
            let key = PrivateKey::from_seed([seed; 32]);
            (WitnessKey::new(&format!("w{seed}"), key.public_key()).expect("a key"), key)
        })
        .collect();
    let origin = "example.com/behind-the-sofa";
    let mut vkeys = vec![VerifierKey::new(origin, ledger.public_key()).expect("a key").to_string()];
    vkeys.extend(witnesses.iter().map(|(name, _)| name.to_string()));
    let mut filled = example.trim_end().to_owned() + "\n";
    for vkey in vkeys {
        filled = filled.replacen("<vkey>", &vkey, 1);
    }
    let policy = WitnessPolicy::parse(&filled).expect("a policy");
    let satisfied = |numbers: &[usize]| {
        let mut note = sign_note(&text, origin, ledger.signing_key());
        for number in numbers {
            let (name, key) = &witnesses[*number];
            note += &cosign(&text, name, 1, key.signing_key());
        }
        policy.satisfied(&Note::parse(note.as_bytes()).expect("a note")).is_ok()
    };
    assert!(satisfied(&[0, 2, 5]));
    assert!(!satisfied(&[0, 5]) && !satisfied(&[0, 1, 2]) && !satisfied(&[3, 4, 5]));
}
