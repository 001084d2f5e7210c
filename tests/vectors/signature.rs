//! The verdict table over the crafted signatures of ed25519-speccheck, and the DSSE example.

use serde_json::Value;
use timebank::format::signature::{Claim, PrivateKey, is_enrollable, pre_authentication_encoding, verdicts, verify};

use crate::{json, vector};

/// ZIP-215, as `proto/README.md` has it.
const VERDICTS: [bool; 12] = [true, true, true, true, true, true, false, false, false, true, true, true];

fn bytes(case: &Value, field: &str) -> Vec<u8> {
    hex::decode(case[field].as_str().unwrap()).unwrap()
}

#[test]
fn crafted_signatures_get_one_verdict_alone_and_in_a_batch() {
    let Some(cases) = json("speccheck/cases.json") else { return };
    let honest = PrivateKey::from_seed([9; 32]);
    let good = Claim { public_key: honest.public_key(), signature: honest.sign(b"good"), message: b"good" };
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), VERDICTS.len());
    let messages: Vec<Vec<u8>> = cases.iter().map(|case| bytes(case, "message")).collect();
    let claims: Vec<Claim<'_>> = cases
        .iter()
        .zip(&messages)
        .map(|(case, message)| Claim {
            public_key: bytes(case, "pub_key").try_into().unwrap(),
            signature: bytes(case, "signature").try_into().unwrap(),
            message,
        })
        .collect();
    for ((claim, verdict), number) in claims.iter().zip(VERDICTS).zip(0..) {
        assert_eq!(verify(*claim), verdict, "case {number} alone");
        // Many times: a batch's coefficients are random, its verdict must not be.
        for _ in 0..20 {
            assert_eq!(verdicts(&[good, *claim, good]), [true, verdict, true], "case {number} in a batch");
        }
    }
    assert_eq!(verdicts(&claims), VERDICTS, "all in one batch");
}

#[test]
fn keys_of_small_order_and_non_canonical_keys_are_not_enrolled() {
    let Some(cases) = json("speccheck/cases.json") else { return };
    let keys: Vec<[u8; 32]> =
        cases.as_array().unwrap().iter().map(|case| bytes(case, "pub_key").try_into().unwrap()).collect();
    // 0 and 1 are of small order; 10 and 11 are small and not canonical.
    for number in [0, 1, 10, 11] {
        assert!(!is_enrollable(&keys[number]), "key of case {number}");
    }
    assert!(is_enrollable(&PrivateKey::from_seed([9; 32]).public_key()));
    assert!(!is_enrollable(&[0; 32]) && !is_enrollable(&[0xff; 32]));
}

#[test]
fn the_encoding_that_is_signed_is_that_of_dsse() {
    let Some(page) = vector("dsse/protocol-test-vector-section.md") else { return };
    let expected = page.lines().find(|line| line.starts_with("DSSEv1 ")).unwrap();
    assert_eq!(pre_authentication_encoding("http://example.com/HelloWorld", b"hello world"), expected.as_bytes());
}
