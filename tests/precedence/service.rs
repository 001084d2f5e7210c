//! What breaks services: recorded, settled, corrected, reversed.

use timebank::format::proto::{self, event::Kind};

use crate::{
    Breakage, Case, Hidden,
    breakage::{Part::*, common, door, rule},
    draft::Draft,
    support::{self, *},
    world::*,
};

/// Another time for the service of a draft.
fn served(draft: &mut Draft, start: i64, ms: i64) {
    draft.service().served = Some(interval(start, start + ms));
}

/// Service of a category that is worth six minutes an hour: it may be long and take no more than there is.
fn long(draft: &mut Draft, served: proto::service::Served, credited_minutes: i64) {
    let category = "tenth".to_owned();
    let service = draft.service();
    *service = proto::Service { category, served: Some(served), credited_minutes, ..service.clone() };
}

/// What a service's own values break, whoever signs.
fn values() -> Vec<Breakage> {
    vec![
        door("FieldInvalid", "the volunteer", &[Volunteer], |draft| draft.service().volunteer = bytes(&[1; 15])),
        door("FieldInvalid", "the category", &[Category], |draft| "a b".clone_into(&mut draft.service().category)),
        door("FieldInvalid", "the rounding", &[Rounding], |draft| draft.service().rounding = 9),
        door("FieldInvalid", "the offset", &[Offset], |draft| draft.service().utc_offset_seconds = 54_000),
        door("FieldInvalid", "no time", &[Served], |draft| draft.service().served = None),
        rule("MinutesNotPositive", "credited", &[Credited], |draft| draft.service().credited_minutes = 0),
        rule("MinutesNotPositive", "on a date", &[Served], |draft| {
            draft.service().served = Some(on_date(draft.places.date, 0));
        }),
        rule("MinutesNotPositive", "rounded down", &[Served, Rounding, Category], |draft| {
            draft.service().rounding = 1;
            served(draft, draft.places.now - HOUR, 10_000);
        }),
        rule("MinutesNotPositive", "rounded as isn't allowed", &[Served, Rounding, Category], |draft| {
            draft.service().rounding = 2;
            served(draft, draft.places.now - HOUR, 10_000);
        }),
        rule("MinutesTooLarge", "credited", &[Credited], |draft| draft.service().credited_minutes = 1_000_000_001),
        rule("MinutesTooLarge", "on a date", &[Served], |draft| {
            draft.service().served = Some(on_date(draft.places.date, 1_000_000_001));
        }),
        rule("IntervalEmpty", "no time", &[Served], |draft| served(draft, draft.places.now - HOUR, 0)),
        rule("IntervalEmpty", "backwards and in future", &[Served], |draft| {
            served(draft, draft.places.now + 2 * HOUR, -HOUR);
        }),
        rule("ServiceInFuture", "not over", &[Served], |draft| {
            let start = draft.places.now + 1 - 30 * MINUTE;
            served(draft, start, 30 * MINUTE);
        }),
        rule("RoundingNotAllowed", "up", &[Rounding], |draft| draft.service().rounding = 3),
        rule("CreditNotWhole", "a second more", &[Served, Rounding], |draft| {
            served(draft, draft.places.now - HOUR, 30 * MINUTE + 1_000);
        }),
        rule("CreditMismatch", "a minute less", &[Credited], |draft| draft.service().credited_minutes -= 1),
        rule("RecordTooLong", "over 8 hours", &[Served, Credited, Category], |draft| {
            long(draft, interval(draft.places.now - 490 * MINUTE, draft.places.now), 49);
        }),
        rule("DayLimitExceeded", "with another hour", &[Served, Credited, Category, Volunteer], |draft| {
            long(draft, on_date(draft.places.date, 450), 45);
        }),
        rule("DayLimitExceeded", "in two places", &[Served, Credited, Category, Volunteer], |draft| {
            let start = i64::from(draft.places.date) * DAY + 8 * HOUR;
            long(draft, interval(start, start + 450 * MINUTE), 45);
        }),
        rule("ServiceOverlaps", "Bob's hour", &[Served, Volunteer], |draft| {
            let start = i64::from(draft.places.date) * DAY + 8 * HOUR;
            served(draft, start + MINUTE, 30 * MINUTE);
        }),
    ]
}

/// What the accounts of a service break. Alice pays, and an operator signs besides her.
fn parties() -> Vec<Breakage> {
    vec![
        rule("SameAccount", "Bob", &[Payer, Volunteer], |draft| draft.service().payer = bytes(&BOB)),
        rule("SameAccount", "nobody", &[Payer, Volunteer], |draft| {
            (draft.service().payer, draft.service().volunteer) = (bytes(&NOBODY), bytes(&NOBODY));
        }),
        rule("NotPermitted", "the service key", &[Signers], |draft| draft.signers = vec![service_key()]),
        rule("AccountUnknown", "the volunteer", &[Volunteer], |draft| draft.service().volunteer = bytes(&NOBODY)),
        rule("AccountUnknown", "the station", &[Station], |draft| draft.service().station = bytes(&NOBODY)),
        rule("AccountUnknown", "the payer", &[Payer], |draft| draft.service().payer = bytes(&NOBODY_ELSE)),
        rule("AccountKindMismatch", "a pool serves", &[Volunteer], |draft| draft.service().volunteer = bytes(&POOL)),
        rule("AccountKindMismatch", "with a resident", &[Station], |draft| draft.service().station = bytes(&CARL)),
        rule("OverflowPoolUnknown", "above the cap", &[Volunteer], |draft| draft.service().volunteer = bytes(&RICH)),
    ]
}

/// Bob's half hour, in a time that is free.
fn half_an_hour(world: &World) -> proto::Service {
    proto::Service { payer: bytes(&ALICE), ..service(BOB, world.places.now - 3 * HOUR, 30) }
}

fn recorded(draft: &mut Draft) -> &mut proto::ServiceRecorded {
    let Kind::ServiceRecorded(recorded) = &mut draft.kind else { unreachable!() };
    recorded
}

/// By an operator and the payer.
pub(crate) fn record(world: &World) -> Case {
    let mut breakages = common(&[]);
    breakages.extend(values());
    breakages.extend(parties());
    breakages.extend([
        rule("NotPermitted", "the payer alone", &[Signers], |draft| draft.signers = vec![alice()]),
        rule("NotPermitted", "another station", &[Signers], |draft| draft.signers = vec![other_staff(), alice()]),
        rule("NotPermitted", "without the payer", &[Signers, Payer, Hold], |draft| draft.signers = vec![operator()]),
        rule("NotPermitted", "staff import", &[Signers, Imported, Served], |draft| {
            draft.signers = vec![staff(), alice()];
            draft.service().imported = true;
        }),
        rule("NotPermitted", "staff import what is old", &[Signers, Imported, Served], |draft| {
            draft.signers = vec![staff(), alice()];
            draft.service().imported = true;
            served(draft, draft.places.now - 400 * DAY, 30 * MINUTE);
        }),
        rule("SelfDealing", "the volunteer signs", &[Signers, Volunteer], |draft| draft.signers.push(bob())),
        rule("SelfDealing", "issuance is a signer's own", &[Signers, Volunteer], |draft| {
            draft.signers.push(key(OWNS_ISSUANCE));
            draft.service().volunteer = bytes(&ISSUANCE);
        }),
        rule("AccountKindMismatch", "a group pays", &[Payer], |draft| draft.service().payer = bytes(&GROUP)),
        rule("HoldUnknown", "another event", &[Hold], |draft| recorded(draft).hold = draft.places.record),
        rule("HoldEnded", "released", &[Hold], |draft| recorded(draft).hold = draft.places.ended),
        rule("HoldOfOthers", "that ran out and is small", &[Hold, Payer], |draft| {
            draft.service().payer = bytes(&CARL);
            recorded(draft).hold = draft.places.small_run_out;
        }),
        rule("HoldRunOut", "Alice's", &[Hold], |draft| recorded(draft).hold = draft.places.run_out),
        rule("HoldTooSmall", "Alice's", &[Hold], |draft| recorded(draft).hold = draft.places.small_hold),
        rule("ServiceTooOld", "400 days", &[Served, Imported], |draft| {
            served(draft, draft.places.now - 400 * DAY, 30 * MINUTE);
        }),
        rule("BalanceBelowFloor", "Carl has too little", &[Payer, Signers, Hold], |draft| {
            draft.signers = vec![operator(), carl()];
            draft.service().payer = bytes(&CARL);
        }),
        rule("BalanceBelowFloor", "too much", &[Category, Credited, Payer, Hold], |draft| {
            "dear".clone_into(&mut draft.service().category);
            draft.service().credited_minutes = 300;
        }),
    ]);
    let draft = Draft::new(world.places, &[operator(), alice()], support::record(half_an_hour(world)));
    Case { name: "ServiceRecorded", draft, breakages, hidden: &[] }
}

/// A record that a hold of the payer's pays, by an operator.
pub(crate) fn settling_record(world: &World) -> Case {
    let mut breakages = common(&[]);
    breakages.extend(values());
    breakages.extend(parties());
    breakages.extend([
        rule("NotPermitted", "the payer", &[Signers], |draft| draft.signers = vec![alice()]),
        rule("NotPermitted", "another station", &[Signers], |draft| draft.signers = vec![other_staff()]),
        rule("SelfDealing", "the volunteer signs", &[Signers, Volunteer], |draft| draft.signers.push(bob())),
        rule("AccountKindMismatch", "a group pays", &[Payer], |draft| draft.service().payer = bytes(&GROUP)),
        rule("HoldUnknown", "another event", &[Hold], |draft| recorded(draft).hold = draft.places.record),
        rule("HoldEnded", "released", &[Hold], |draft| recorded(draft).hold = draft.places.ended),
        rule("HoldOfOthers", "Carl pays", &[Payer], |draft| draft.service().payer = bytes(&CARL)),
        rule("HoldOfOthers", "another station", &[Station, Signers], |draft| {
            draft.service().station = bytes(&OTHER_STATION);
        }),
        rule("HoldRunOut", "enough", &[Hold], |draft| recorded(draft).hold = draft.places.run_out),
        rule("HoldRunOut", "too small besides", &[Hold], |draft| recorded(draft).hold = draft.places.small_run_out),
        rule("HoldTooSmall", "another one", &[Hold], |draft| recorded(draft).hold = draft.places.small_hold),
        rule("HoldTooSmall", "too much", &[Category, Credited, Hold], |draft| {
            "dear".clone_into(&mut draft.service().category);
            draft.service().credited_minutes = 300;
        }),
        rule("ServiceTooOld", "400 days", &[Served], |draft| served(draft, draft.places.now - 400 * DAY, 30 * MINUTE)),
    ]);
    let kind = settle(half_an_hour(world), world.places.hold);
    Case { name: "ServiceRecorded", draft: Draft::new(world.places, &[operator()], kind), breakages, hidden: &[] }
}

fn set_record(draft: &mut Draft, record: Option<proto::EventRef>) {
    match &mut draft.kind {
        Kind::ServiceCorrected(corrected) => corrected.record = record,
        Kind::ServiceReversed(reversed) => reversed.record = record,
        other => panic!("no change of a record: {other:?}"),
    }
}

fn set_reason(draft: &mut Draft, reason: i32) {
    match &mut draft.kind {
        Kind::ServiceCorrected(corrected) => corrected.reason = reason,
        Kind::ServiceReversed(reversed) => reversed.reason = reason,
        other => panic!("no change of a record: {other:?}"),
    }
}

/// What breaks any change of a record.
fn changes() -> Vec<Breakage> {
    vec![
        door("FieldInvalid", "no reason", &[Reason], |draft| set_reason(draft, 0)),
        door("FieldInvalid", "no record", &[Record], |draft| set_record(draft, None)),
        rule("NotPermitted", "a resident", &[Signers], |draft| draft.signers = vec![carl()]),
        rule("NotPermitted", "another station", &[Signers], |draft| draft.signers = vec![other_staff()]),
        rule("NotPermitted", "another station's record", &[Signers, Record], |draft| {
            draft.signers = vec![staff()];
            set_record(draft, draft.places.record_of_others);
        }),
        rule("SelfDealing", "the payer signs", &[Signers, Record], |draft| draft.signers.push(alice())),
        rule("SelfDealing", "the payer of a reversed record signs", &[Signers, Record], |draft| {
            draft.signers.push(alice());
            set_record(draft, draft.places.reversed);
        }),
        rule("RecordUnknown", "another event", &[Record], |draft| set_record(draft, draft.places.hold)),
        rule("RecordUnknown", "later in its own sheet", &[Record], |draft| set_record(draft, at(0, 3))),
        rule("RecordReversed", "for good", &[Record], |draft| set_record(draft, draft.places.reversed)),
    ]
}

/// From 50 minutes to 30, by an operator.
pub(crate) fn correction(world: &World) -> Case {
    let mut breakages = common(&[]);
    breakages.extend(values());
    breakages.extend(parties());
    breakages.extend(changes());
    breakages.extend([
        rule("SelfDealing", "the volunteer signs", &[Signers, Volunteer], |draft| draft.signers.push(bob())),
        rule("NotPermitted", "Carl would pay", &[Payer, Signers, Record], |draft| {
            draft.service().payer = bytes(&CARL);
        }),
        rule("NotPermitted", "Alice would pay more", &[Payer, Signers, Record, Category, Credited], |draft| {
            "dear".clone_into(&mut draft.service().category);
            draft.service().credited_minutes = 300;
        }),
        rule("AccountKindMismatch", "a group pays", &[Payer], |draft| draft.service().payer = bytes(&GROUP)),
        rule(
            "CorrectionChangesNothing",
            "the same",
            &[Volunteer, Station, Payer, Category, Served, Credited, Rounding, Offset, Imported, Record],
            |draft| {
                served(draft, draft.places.record_start, 50 * MINUTE);
                draft.service().credited_minutes = 50;
            },
        ),
        rule(
            "RecordReversed",
            "and the same",
            &[Volunteer, Station, Payer, Category, Served, Credited, Rounding, Offset, Imported, Record],
            |draft| {
                served(draft, draft.places.reversed_start, 50 * MINUTE);
                draft.service().credited_minutes = 50;
                set_record(draft, draft.places.reversed);
            },
        ),
        rule("BalanceBelowFloor", "Carl has too little", &[Payer, Signers], |draft| {
            draft.signers.push(carl());
            draft.service().payer = bytes(&CARL);
        }),
    ]);
    let draft = Draft::new(world.places, &[operator()], correct(world.places.record, half_an_hour(world)));
    Case { name: "ServiceCorrected", draft, breakages, hidden: &[] }
}

const NOBODYS_RECORD: &str = "nobody can tell whose a record is that was never made";

/// Of Bob's service, by an operator.
pub(crate) fn reversal(world: &World) -> Case {
    let mut breakages = common(&[]);
    breakages.extend(changes());
    breakages.push(rule("NotPermitted", "the service key", &[Signers], |draft| draft.signers = vec![service_key()]));
    let hidden = &[
        Hidden { later: "RecordUnknown", earlier: ("NotPermitted", "a resident"), why: NOBODYS_RECORD },
        Hidden { later: "RecordUnknown", earlier: ("NotPermitted", "another station"), why: NOBODYS_RECORD },
    ];
    let draft = Draft::new(world.places, &[operator()], reverse(world.places.record));
    Case { name: "ServiceReversed", draft, breakages, hidden }
}
