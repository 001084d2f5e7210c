//! What breaks transfers and holds.

use timebank::format::proto::{self, event::Kind};

use crate::{
    Case, Hidden,
    breakage::{Breakage, Part::*, common, door, rule},
    draft::Draft,
    support::{self, *},
    world::*,
};

fn transferred(draft: &mut Draft) -> &mut proto::MinutesTransferred {
    let Kind::MinutesTransferred(transferred) = &mut draft.kind else { unreachable!() };
    transferred
}

/// 20 minutes from Alice to Bob, by Alice.
pub(crate) fn transfer(world: &World) -> Case {
    let mut breakages = common(&[]);
    breakages.extend([
        door("FieldInvalid", "the giver", &[From], |draft| transferred(draft).from = bytes(&[1; 15])),
        rule("MinutesNotPositive", "none", &[Minutes], |draft| transferred(draft).minutes = 0),
        rule("MinutesTooLarge", "2,000 years", &[Minutes], |draft| transferred(draft).minutes = 1_000_000_001),
        rule("SameAccount", "Alice", &[To, From], |draft| transferred(draft).to = bytes(&ALICE)),
        rule("SameAccount", "nobody", &[To, From], |draft| {
            (transferred(draft).from, transferred(draft).to) = (bytes(&NOBODY), bytes(&NOBODY));
        }),
        rule("NotPermitted", "another resident", &[Signers, From], |draft| draft.signers = vec![carl()]),
        rule("NotPermitted", "staff", &[Signers, From], |draft| draft.signers = vec![staff()]),
        rule("NotPermitted", "the service key", &[Signers, From], |draft| draft.signers = vec![service_key()]),
        rule("NotPermitted", "a resident who names nobody", &[Signers, From], |draft| {
            transferred(draft).from = bytes(&NOBODY);
        }),
        rule("NotPermitted", "the receiver", &[Signers, From, To], |draft| draft.signers = vec![bob()]),
        rule("SelfDealing", "the receiver signs too", &[Signers, To], |draft| draft.signers.push(bob())),
        rule("SelfDealing", "issuance is a signer's own", &[Signers, To], |draft| {
            draft.signers.push(key(OWNS_ISSUANCE));
            transferred(draft).to = bytes(&ISSUANCE);
        }),
        rule("SelfDealing", "from an unknown account to an organiser's own", &[Signers, From, To], |draft| {
            draft.signers = vec![operator(), staff()];
            (transferred(draft).from, transferred(draft).to) = (bytes(&NOBODY), bytes(&CLARA));
        }),
        rule("AccountUnknown", "the receiver", &[To], |draft| transferred(draft).to = bytes(&NOBODY_ELSE)),
        rule("AccountUnknown", "the giver", &[From, Signers], |draft| {
            draft.signers = vec![operator()];
            transferred(draft).from = bytes(&NOBODY);
        }),
        rule("AccountKindMismatch", "issuance", &[To], |draft| transferred(draft).to = bytes(&ISSUANCE)),
        rule("GroupGivesOnlyToPools", "a resident", &[From, Signers], |draft| {
            draft.signers = vec![staff()];
            transferred(draft).from = bytes(&GROUP);
        }),
        rule("BalanceBelowFloor", "too much", &[Minutes], |draft| transferred(draft).minutes = 400),
        rule("BalanceBelowFloor", "Carl has too little", &[From, Signers], |draft| {
            draft.signers = vec![carl()];
            transferred(draft).from = bytes(&CARL);
        }),
        rule("OverflowPoolUnknown", "Alice can't keep it", &[To], |draft| transferred(draft).to = bytes(&RICH)),
    ]);
    let draft = Draft::new(world.places, &[alice()], support::transfer(ALICE, BOB, 20));
    Case { name: "MinutesTransferred", draft, breakages, hidden: &[] }
}

fn placed(draft: &mut Draft) -> &mut proto::HoldPlaced {
    let Kind::HoldPlaced(placed) = &mut draft.kind else { unreachable!() };
    placed
}

/// 30 minutes of Alice's, by Alice.
pub(crate) fn hold(world: &World) -> Case {
    let mut breakages = common(&[]);
    breakages.extend([
        door("FieldInvalid", "the payer", &[Payer], |draft| placed(draft).payer = bytes(&[1; 15])),
        door("FieldInvalid", "the end", &[Expires], |draft| placed(draft).expires_at_ms = -1),
        rule("MinutesNotPositive", "none", &[Minutes], |draft| placed(draft).minutes = 0),
        rule("MinutesTooLarge", "2,000 years", &[Minutes], |draft| placed(draft).minutes = 1_000_000_001),
        rule("NotPermitted", "another resident", &[Signers, Payer], |draft| draft.signers = vec![carl()]),
        rule("NotPermitted", "staff", &[Signers, Payer], |draft| draft.signers = vec![staff()]),
        rule("NotPermitted", "the service key", &[Signers, Payer], |draft| draft.signers = vec![service_key()]),
        rule("NotPermitted", "a resident who names nobody", &[Signers, Payer], |draft| {
            placed(draft).payer = bytes(&NOBODY);
        }),
        rule("AccountUnknown", "the payer", &[Payer, Signers], |draft| {
            draft.signers = vec![operator()];
            placed(draft).payer = bytes(&NOBODY);
        }),
        rule("AccountUnknown", "the station", &[Station], |draft| placed(draft).station = bytes(&NOBODY)),
        rule("AccountKindMismatch", "a group books", &[Payer, Signers], |draft| {
            draft.signers = vec![staff()];
            placed(draft).payer = bytes(&GROUP);
        }),
        rule("AccountKindMismatch", "a station books", &[Payer, Signers], |draft| {
            draft.signers = vec![operator()];
            placed(draft).payer = bytes(&STATION);
        }),
        rule("AccountKindMismatch", "with a resident", &[Station], |draft| placed(draft).station = bytes(&BOB)),
        rule("HoldEndOutOfRange", "now", &[Expires], |draft| placed(draft).expires_at_ms = draft.places.now),
        rule("HoldEndOutOfRange", "three years", &[Expires], |draft| placed(draft).expires_at_ms += 3 * 366 * DAY),
        rule("BalanceBelowFloor", "too much", &[Minutes], |draft| placed(draft).minutes = 400),
        rule("BalanceBelowFloor", "Carl has too little", &[Payer, Signers], |draft| {
            draft.signers = vec![carl()];
            placed(draft).payer = bytes(&CARL);
        }),
    ]);
    let draft = Draft::new(world.places, &[alice()], support::hold(ALICE, 30, world.places.now + DAY));
    Case { name: "HoldPlaced", draft, breakages, hidden: &[] }
}

fn set_hold(draft: &mut Draft, hold: Option<proto::EventRef>) {
    match &mut draft.kind {
        Kind::HoldReleased(released) => released.hold = hold,
        Kind::HoldExpired(expired) => expired.hold = hold,
        other => panic!("no end of a hold: {other:?}"),
    }
}

/// What breaks the end of a hold, however it comes.
fn ends() -> Vec<Breakage> {
    let mut breakages = common(&[]);
    breakages.extend([
        door("FieldInvalid", "no hold", &[Hold], |draft| set_hold(draft, None)),
        door("FieldInvalid", "its number", &[Hold], |draft| set_hold(draft, at(1, 1_000))),
        rule("NotPermitted", "another resident", &[Signers], |draft| draft.signers = vec![carl()]),
        rule("NotPermitted", "another station", &[Signers], |draft| draft.signers = vec![other_staff()]),
        rule("HoldUnknown", "another event", &[Hold], |draft| set_hold(draft, draft.places.record)),
        rule("HoldUnknown", "later in its own sheet", &[Hold], |draft| set_hold(draft, at(0, 3))),
        rule("HoldEnded", "released", &[Hold], |draft| set_hold(draft, draft.places.ended)),
    ]);
    breakages
}

const NOBODYS_HOLD: &str = "nobody can tell whose a hold is that was never placed";
const UNKNOWN_HOLD: &[Hidden] = &[
    Hidden { later: "HoldUnknown", earlier: ("NotPermitted", "another resident"), why: NOBODYS_HOLD },
    Hidden { later: "HoldUnknown", earlier: ("NotPermitted", "another station"), why: NOBODYS_HOLD },
];

/// Of a hold of Alice's, by her.
pub(crate) fn release(world: &World) -> Case {
    let mut breakages = ends();
    breakages.push(rule("NotPermitted", "the service key", &[Signers], |draft| draft.signers = vec![service_key()]));
    let draft = Draft::new(world.places, &[alice()], support::release(world.places.hold));
    Case { name: "HoldReleased", draft, breakages, hidden: UNKNOWN_HOLD }
}

/// Of a hold of Alice's that ran out, by the service key.
pub(crate) fn expiry(world: &World) -> Case {
    let mut breakages = ends();
    breakages.push(rule("HoldStillRuns", "for a month", &[Hold], |draft| set_hold(draft, draft.places.hold)));
    let draft = Draft::new(world.places, &[service_key()], expire(world.places.run_out));
    Case { name: "HoldExpired", draft, breakages, hidden: UNKNOWN_HOLD }
}
