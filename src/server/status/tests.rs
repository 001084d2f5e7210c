//! What statuses say, and that `proto/README.md` says the same.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::{collections::BTreeSet, fs, path::Path};

use tonic_types::StatusExt;

use super::*;
use crate::ledger::{Language, Rejection};

#[test]
fn a_full_queue_says_when_to_come_again() {
    let status = submit_status(&SubmitError::QueueFull { retry_ms: 100 }, None);
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.get_details_error_info().unwrap().reason, "QueueFull");
    let retry = status.get_details_retry_info().unwrap();
    assert_eq!(retry.retry_delay, Some(Duration::from_millis(100)));
}

#[test]
fn reads_that_are_worth_another_try_say_when() {
    let waits = |status: &Status| status.get_details_retry_info().and_then(|retry| retry.retry_delay);
    let not_reached = ReadError::IndexNotReached { min_index: 9, size: 2, waited: Duration::from_secs(5) };
    assert_eq!(waits(&read_status(&not_reached)), Some(REACH_RETRY));
    assert_eq!(waits(&failure(Reason::DigestBusy, "", "another is being made")), Some(DIGEST_RETRY));
    assert_eq!(waits(&shutting_down()), None, "nobody knows");
    let status = failure(Reason::DigestBusy, "", "another is being made");
    assert_eq!(status.message(), "DigestBusy: another is being made", "no field, no gap where it would stand");
    assert!(status.get_details_error_info().unwrap().metadata.is_empty());
}

#[tokio::test]
async fn work_that_failed_is_not_taken_for_the_end_of_the_service() {
    let panicked = tokio::spawn(async { panic!("on purpose") }).await.unwrap_err();
    assert_eq!(unfinished(&panicked).get_details_error_info().unwrap().reason, "ReadFailed");
    let work = tokio::spawn(std::future::pending::<()>());
    work.abort();
    assert_eq!(unfinished(&work.await.unwrap_err()).get_details_error_info().unwrap().reason, "ShuttingDown");
}

/// Reasons and their codes, as the table in section 7 of proto/README.md has them.
fn documented() -> BTreeSet<(String, String)> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("proto/README.md")).unwrap();
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let mut found = BTreeSet::new();
    for (code, reasons) in rows.filter(|(code, _)| code.chars().all(|c| c.is_ascii_uppercase() || c == '_')) {
        let reasons = reasons.split(" | ").next().unwrap().split('`').skip(1).step_by(2);
        found.extend(reasons.map(|reason| (reason.to_owned(), code.to_owned())));
    }
    found
}

/// Every rejection and the name of its status.
fn rejections() -> BTreeSet<(String, String)> {
    let codes = Rejection::CODES.iter().zip(Rejection::STATUSES);
    codes.map(|(name, status)| ((*name).to_owned(), screaming(&format!("{status:?}")))).collect()
}

/// As gRPC writes a code: `InvalidArgument` is `INVALID_ARGUMENT`.
fn screaming(code: &str) -> String {
    let mut text = String::new();
    for letter in code.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

#[test]
fn every_reason_stands_in_the_readme_with_its_code() {
    let mut expected = rejections();
    expected.extend(
        Reason::ALL.iter().map(|reason| (reason.name().to_owned(), screaming(&format!("{:?}", reason.code())))),
    );
    let documented = documented();
    let missing: Vec<_> = expected.difference(&documented).collect();
    let unknown: Vec<_> = documented.difference(&expected).collect();
    assert!(missing.is_empty(), "proto/README.md, section 7, doesn't have {missing:?}");
    assert!(unknown.is_empty(), "proto/README.md, section 7, has {unknown:?}, which nothing answers with");
}

#[test]
fn statuses_are_made_here_alone() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server");
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() || path.ends_with("status.rs") {
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        // `Status::GRPC_STATUS` and `Status::from_header_map` make none.
        let made = source.match_indices("Status::").any(|(at, found)| {
            let name = &source[at + found.len()..];
            !name.starts_with("GRPC_") && !name.starts_with("from_header_map")
        });
        assert!(!made, "{} makes a status without a reason", path.display());
    }
}

#[test]
fn what_a_refusal_says_is_bounded_and_cut_between_letters() {
    let problem = "\u{4e16}".repeat(100_000);
    let refusal = Refusal {
        rejection: Rejection::EncodingInvalid { message: "Event", problem: problem.clone() },
        event: Some(1),
        field: problem.into(),
    };
    let message = refusal_message(&refusal, Some(Language::Chinese));
    assert!(message.message.len() <= MESSAGE_BYTES_MAX && message.message.ends_with("..."), "{}", message.message);
    assert!(message.field.len() <= FIELD_BYTES_MAX && message.field.ends_with("..."), "{}", message.field);
    let status = submit_status(&SubmitError::Refused(refusal), Some(Language::Chinese));
    let mut headers = tonic::codegen::http::HeaderMap::new();
    status.add_header(&mut headers).unwrap();
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
    assert!(bytes < 8 * 1_024, "{bytes} bytes of trailers");
}

#[test]
fn no_remedy_is_cut() {
    // Every rejection's sentence with its remedy, a line each.
    let rejections = include_str!("../../../tests/golden/rejections.txt");
    let longest = rejections.lines().max_by_key(|line| line.len()).unwrap();
    assert!(rejections.lines().count() >= Rejection::CODES.len() && longest.len() <= REMEDY_BYTES_MAX, "{longest}");
}
