//! Which kinds of events can break which rule: each has it in its table, and no other can.

use std::collections::{BTreeMap, BTreeSet};

use timebank::ledger::Rejection;

use crate::{CASES, Case, world::World};

const SERVICES: &[&str] = &["ServiceCorrected", "ServiceRecorded"];

/// From the first rule that not every kind can break: the kinds that can, and why no other.
const REACH: &[(&str, &[&str], &str)] = &[
    ("PublicKeyInvalid", &["KeyEnrolled", "LedgerCreated"], "others bring no key"),
    ("PossessionInvalid", &["KeyEnrolled", "LedgerCreated"], "others bring no key"),
    (
        "MinutesNotPositive",
        &["HoldPlaced", "MinutesTransferred", "ServiceCorrected", "ServiceRecorded"],
        "others state no minutes, and a floor has its own range",
    ),
    (
        "MinutesTooLarge",
        &["HoldPlaced", "MinutesTransferred", "ServiceCorrected", "ServiceRecorded"],
        "others state no minutes, and a floor has its own range",
    ),
    ("IntervalEmpty", SERVICES, "others take no time"),
    (
        "SameAccount",
        &["MinutesTransferred", "ServiceCorrected", "ServiceRecorded"],
        "others name no two accounts that could be one",
    ),
    (
        "NotPermitted",
        &[
            "AccountOpened",
            "FloorSet",
            "HoldExpired",
            "HoldPlaced",
            "HoldReleased",
            "KeyEnrolled",
            "KeyRevoked",
            "LedgerCreated",
            "MinutesTransferred",
            "RegionDefined",
            "ServiceCorrected",
            "ServiceRecorded",
            "ServiceReversed",
        ],
        "",
    ),
    (
        "SelfDealing",
        &["FloorSet", "MinutesTransferred", "ServiceCorrected", "ServiceRecorded", "ServiceReversed"],
        "others credit nobody and lower no floor",
    ),
    ("RegionUnknown", &["AccountOpened", "RegionDefined"], "others name no region"),
    (
        "AccountUnknown",
        &[
            "AccountOpened",
            "FloorSet",
            "HoldPlaced",
            "KeyEnrolled",
            "MinutesTransferred",
            "ServiceCorrected",
            "ServiceRecorded",
        ],
        "others name no account themselves: that of a record or hold is there",
    ),
    (
        "AccountKindMismatch",
        &[
            "AccountOpened",
            "FloorSet",
            "HoldPlaced",
            "KeyEnrolled",
            "MinutesTransferred",
            "ServiceCorrected",
            "ServiceRecorded",
        ],
        "others name no account themselves: that of a record or hold is of its kind",
    ),
    ("RevokedKeyUnknown", &["KeyRevoked"], "others revoke no key"),
    ("RecordUnknown", &["ServiceCorrected", "ServiceReversed"], "others change no record"),
    ("HoldUnknown", &["HoldExpired", "HoldReleased", "ServiceRecorded"], "others end no hold"),
    ("LedgerExists", &["LedgerCreated"], "others create no ledger"),
    ("RegionExists", &["RegionDefined"], "others define no region"),
    ("TooManyRegions", &["RegionDefined"], "others define no region"),
    ("AccountExists", &["AccountOpened"], "others open no account, or the first of all"),
    ("KeyExists", &["KeyEnrolled"], "others enrol no key, or the first of all"),
    ("KeyAlreadyRevoked", &["KeyRevoked"], "others revoke no key"),
    ("LastOperatorKey", &["KeyRevoked"], "others revoke no key"),
    ("RecordReversed", &["ServiceCorrected", "ServiceReversed"], "others change no record"),
    ("CorrectionChangesNothing", &["ServiceCorrected"], "others correct nothing"),
    ("HoldEnded", &["HoldExpired", "HoldReleased", "ServiceRecorded"], "others end no hold"),
    ("HoldOfOthers", &["ServiceRecorded"], "whoever only ends a hold names neither payer nor station"),
    ("HoldRunOut", &["ServiceRecorded"], "a hold that ran out is still released, and expires"),
    ("HoldStillRuns", &["HoldExpired"], "others end a hold before its time"),
    ("HoldTooSmall", &["ServiceRecorded"], "others take nothing out of a hold"),
    ("HoldEndOutOfRange", &["HoldPlaced"], "others place no hold"),
    ("ServiceInFuture", SERVICES, "others take no time"),
    ("ServiceTooOld", &["ServiceRecorded"], "a correction may be late"),
    ("RoundingNotAllowed", SERVICES, "others round nothing"),
    ("CreditNotWhole", SERVICES, "others round nothing"),
    ("CreditMismatch", SERVICES, "others claim no credit"),
    ("RecordTooLong", SERVICES, "others take no time"),
    ("DayLimitExceeded", SERVICES, "others take no time"),
    ("ServiceOverlaps", SERVICES, "others take no time"),
    ("GroupGivesOnlyToPools", &["MinutesTransferred"], "others don't let a group pay"),
    (
        "BalanceBelowFloor",
        &["HoldPlaced", "MinutesTransferred", "ServiceCorrected", "ServiceRecorded"],
        "others take nothing, or what is reserved; what a reversal can't take back the station owes",
    ),
    (
        "OverflowPoolUnknown",
        &["MinutesTransferred", "ServiceCorrected", "ServiceRecorded"],
        "others credit nobody, or give back",
    ),
    ("BalanceOutOfRange", &[], "no ledger of this size can: see `MINUTES_MAX` in the rules"),
];

/// What every kind can break: its sheet.
fn of_every_sheet(code: &str) -> bool {
    let sheets = Rejection::CODES.iter().take_while(|code| **code != "MinutesNotPositive");
    !REACH.iter().any(|row| row.0 == code) && sheets.into_iter().any(|of_sheets| *of_sheets == code)
}

#[test]
fn every_kind_has_every_rule_that_it_can_break() {
    let world = World::new();
    let cases: Vec<Case> = CASES.iter().map(|make| make(&world)).collect();
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for case in &cases {
        for breakage in &case.breakages {
            found.entry(breakage.code).or_default().insert(case.name);
        }
    }
    let kinds: BTreeSet<&str> = cases.iter().map(|case| case.name).collect();
    assert_eq!(kinds.len(), 13, "{kinds:?}");
    for code in Rejection::CODES {
        let reach = REACH.iter().find(|row| row.0 == *code).map(|row| row.1.iter().copied().collect());
        let expected = reach.or_else(|| of_every_sheet(code).then(|| kinds.clone()));
        assert_eq!(found.remove(code).unwrap_or_default(), expected.expect(code), "{code}");
    }
    assert!(found.is_empty(), "{found:?}");
    let last = REACH.iter().find(|(_, kinds, why)| why.is_empty() && kinds.len() < 13);
    assert!(last.is_none(), "{last:?}");
}
