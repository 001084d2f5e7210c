//! What was recorded, for programs and for people.

use serde_json::{Value, json};

use super::{
    language::said,
    output::{hours, table, time},
    who::Who,
    zone,
};
use crate::{access::names::head, format::proto, ledger::WarningCode};

pub(crate) fn receipt_json(response: &proto::SubmitResponse) -> Value {
    let receipt = response.receipt.clone().unwrap_or_default();
    let posting = |posting: &proto::Posting| {
        json!({
            "account": hex::encode(&posting.account),
            "minutes": posting.minutes,
            "balance_after_minutes": posting.balance_after_minutes,
        })
    };
    let warning = |warning: &proto::Warning| {
        let similar = warning.similar.unwrap_or_default();
        json!({
            "code": warning.code,
            "message": warning.message,
            "similar": format!("{}.{}", similar.index, similar.event),
        })
    };
    let event = |event: &proto::EventReceipt| {
        json!({
            "postings": event.postings.iter().map(posting).collect::<Vec<_>>(),
            "warnings": event.warnings.iter().map(warning).collect::<Vec<_>>(),
        })
    };
    let mut value = json!({
        "index": receipt.index,
        "recorded_at": time(receipt.recorded_at_ms),
        "events": receipt.events.iter().map(event).collect::<Vec<_>>(),
    });
    if let Some(publication) = &response.publication {
        let proof: Vec<String> = publication.inclusion_proof.iter().map(hex::encode).collect();
        value["checkpoint"] = json!(publication.checkpoint);
        value["inclusion_proof"] = json!(proof);
    }
    value
}

/// What was recorded, in words. `who` says who is who.
pub(crate) fn receipt_text(response: &proto::SubmitResponse, who: &Who) -> String {
    let receipt = response.receipt.clone().unwrap_or_default();
    let place = match receipt.events.len() {
        0 | 1 => format!("{}.0", receipt.index),
        events => format!("{0}.0 to {0}.{1}", receipt.index, events - 1),
    };
    let mut text = format!("recorded as {place} at {}", zone::local(receipt.recorded_at_ms));
    let mut rows = Vec::new();
    for (number, event) in receipt.events.iter().enumerate() {
        let at = format!("{}.{number}", receipt.index);
        rows.extend(event.postings.iter().map(|posting| {
            let after = hours(posting.balance_after_minutes);
            vec![at.clone(), who.label(&posting.account), hours(posting.minutes), after]
        }));
    }
    if !rows.is_empty() {
        text = format!("{text}\n{}", table(&[head::EVENT, head::ACCOUNT, head::CHANGE, head::BALANCE], &[2, 3], rows));
    }
    for warning in warnings(response) {
        text = format!("{text}\n{warning}");
    }
    text
}

/// What is to be looked at although it was recorded, a line each.
pub(crate) fn warnings(response: &proto::SubmitResponse) -> Vec<String> {
    let events = response.receipt.iter().flat_map(|receipt| &receipt.events);
    let line = |warning: &proto::Warning| {
        let similar = warning.similar.unwrap_or_default();
        let known = WarningCode::of_code(&warning.code).map(|code| said(&code.message()));
        let message = known.as_ref().unwrap_or(&warning.message);
        format!("warning: {}.{}: {message} [{}]", similar.index, similar.event, warning.code)
    };
    events.flat_map(|event| &event.warnings).map(line).collect()
}

/// Where the first of the events stands.
pub(crate) fn first_place(response: &proto::SubmitResponse) -> String {
    response.receipt.as_ref().map_or_else(String::new, |receipt| format!("{}.0", receipt.index))
}
