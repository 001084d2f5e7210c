//! What breaks the genesis, keys, regions, accounts and floors.

use timebank::format::proto::{self, AccountKind, KeyRole, event::Kind};

use crate::{
    Case, Hidden,
    breakage::{
        Part::{self, *},
        common, door, rule, sheet,
    },
    draft::{Draft, ORDER_TWO, SMALL_ORDER, Target, Twist},
    support::*,
    world::{self, *},
};

fn created(draft: &mut Draft) -> &mut proto::LedgerCreated {
    let Kind::LedgerCreated(created) = &mut draft.kind else { unreachable!() };
    created
}

fn in_ready(draft: &mut Draft) {
    draft.target = Target::Ready;
}

/// What a genesis has that another kind of event doesn't.
const EVERY_PART: &[Part] = &[Nonce, Policy, Origin, LedgerKey, ServiceKey, Possession, InEmpty];

/// By its operator, in a ledger without entries. Only another ledger knows keys besides, or used ids.
pub(crate) fn genesis(world: &World) -> Case {
    let mut breakages = common(&["KeyUnknown", "SheetExistsWithDifferentBytes", "KeyIsRevoked"]);
    breakages.extend([
        door("FieldInvalid", "the nonce", &[Nonce], |draft| created(draft).nonce = bytes(&[8; 31])),
        door("FieldInvalid", "the policy", &[Policy], |draft| created(draft).policy.as_mut().unwrap().rules = 2),
        door("FieldInvalid", "the origin", &[Origin], |draft| ELSEWHERE.clone_into(&mut created(draft).origin)),
        door("FieldInvalid", "one key for two", &[LedgerKey], |draft| {
            created(draft).ledger_key = bytes(&operator().public_key());
        }),
        door("PublicKeyInvalid", "of the ledger", &[LedgerKey], |draft| {
            created(draft).ledger_key = bytes(&SMALL_ORDER);
        }),
        door("PublicKeyInvalid", "of the service", &[ServiceKey], |draft| {
            created(draft).service_key = bytes(&ORDER_TWO);
        }),
        door("PossessionInvalid", "another key's", &[Possession], |draft| {
            created(draft).service_possession = bytes(&key(STRANGER).prove_possession(ORIGIN));
        }),
        sheet("FieldInvalid", "another signer", &[Signers, InEmpty], |draft| draft.signers = vec![key(STRANGER)]),
        sheet("FieldInvalid", "one signer more", &[Signers, InEmpty], |draft| draft.signers.push(service_key())),
        sheet("FieldInvalid", "another kind of event", EVERY_PART, |draft| {
            draft.kind = world::region("leeds");
        }),
        sheet("KeyUnknown", "a stranger", &[InReady], |draft| {
            in_ready(draft);
            draft.twists.insert(Twist::Stranger);
        }),
        sheet("SheetExistsWithDifferentBytes", "used", &[InReady], |draft| {
            in_ready(draft);
            draft.twists.insert(Twist::UsedId);
        }),
        sheet("KeyIsRevoked", "a resident's", &[InReady], |draft| {
            in_ready(draft);
            draft.twists.insert(Twist::Revoked);
        }),
        rule("NotPermitted", "the service key", &[InReady, Signers], |draft| {
            in_ready(draft);
            draft.signers = vec![service_key()];
        }),
        rule("LedgerExists", "it does", &[InReady], in_ready),
    ]);
    let mut draft = Draft::new(world.places, &[operator()], World::genesis());
    (draft.target, draft.subject) = (Target::Empty, service_key());
    Case { name: "LedgerCreated", draft, breakages, hidden: &[] }
}

fn enrolled(draft: &mut Draft) -> &mut proto::KeyEnrolled {
    let Kind::KeyEnrolled(enrolled) = &mut draft.kind else { unreachable!() };
    enrolled
}

/// The possession is proved when the sheet is made.
fn enrolment(world: &World, role: KeyRole, account: [u8; 16], own: Option<[u8; 16]>) -> Draft {
    let Kind::KeyEnrolled(mut enrolled) = enrol(&key(NEW), role, account, own) else { unreachable!() };
    enrolled.possession = bytes::Bytes::new();
    let mut draft = Draft::new(world.places, &[operator()], Kind::KeyEnrolled(enrolled));
    draft.subject = key(NEW);
    draft
}

/// What breaks any enrolment.
fn any_enrolment() -> Vec<crate::Breakage> {
    let mut breakages = common(&[]);
    breakages.extend([
        door("FieldInvalid", "no role", &[Role], |draft| enrolled(draft).role = 0),
        door("FieldInvalid", "the service's role", &[Role], |draft| enrolled(draft).role = KeyRole::Service.into()),
        door("FieldInvalid", "no account", &[Account], |draft| enrolled(draft).account = bytes(&[])),
        door("FieldInvalid", "the possession", &[Possession], |draft| enrolled(draft).possession = bytes(&[1; 63])),
        door("PublicKeyInvalid", "of small order", &[PublicKey], |draft| {
            enrolled(draft).public_key = bytes(&SMALL_ORDER);
        }),
        door("PossessionInvalid", "another key's", &[Possession], |draft| {
            enrolled(draft).possession = bytes(&key(STRANGER).prove_possession(ORIGIN));
        }),
        rule("NotPermitted", "a resident", &[Signers], |draft| draft.signers = vec![alice()]),
        rule("NotPermitted", "the service key", &[Signers], |draft| draft.signers = vec![service_key()]),
        rule("AccountUnknown", "the account", &[Account], |draft| enrolled(draft).account = bytes(&NOBODY)),
        rule("AccountKindMismatch", "a pool", &[Account], |draft| enrolled(draft).account = bytes(&POOL)),
        rule("KeyExists", "Alice's", &[PublicKey], |draft| {
            draft.subject = alice();
            enrolled(draft).public_key = bytes(&alice().public_key());
        }),
    ]);
    breakages
}

/// For Bob's account, by an operator.
pub(crate) fn residents_key(world: &World) -> Case {
    let mut breakages = any_enrolment();
    breakages.extend([
        door("FieldInvalid", "an own account besides", &[Own, Role], |draft| enrolled(draft).own_account = bytes(&BOB)),
        rule("NotPermitted", "another station", &[Signers], |draft| draft.signers = vec![other_staff()]),
        rule("NotPermitted", "staff enrol an operator", &[Signers, Role, Account], |draft| {
            draft.signers = vec![staff()];
            (enrolled(draft).role, enrolled(draft).account) = (KeyRole::Operator.into(), bytes(&[]));
        }),
    ]);
    let hidden = &[Hidden {
        later: "AccountUnknown",
        earlier: ("NotPermitted", "another station"),
        why: "nobody can tell which station serves an account that isn't there",
    }];
    Case { name: "KeyEnrolled", draft: enrolment(world, KeyRole::Resident, BOB, None), breakages, hidden }
}

/// For a station, with an account of their own, by an operator.
pub(crate) fn staff_key(world: &World) -> Case {
    let mut breakages = any_enrolment();
    breakages.extend([
        rule("NotPermitted", "staff", &[Signers], |draft| draft.signers = vec![staff()]),
        rule("AccountUnknown", "the own account", &[Own], |draft| enrolled(draft).own_account = bytes(&NOBODY)),
    ]);
    Case { name: "KeyEnrolled", draft: enrolment(world, KeyRole::Staff, STATION, Some(DORA)), breakages, hidden: &[] }
}

fn set_key(draft: &mut Draft, seed: u8) {
    draft.kind = revoke(&key(seed));
}

/// Of Bob's key, by an operator.
pub(crate) fn revocation(world: &World) -> Case {
    let mut breakages = common(&[]);
    breakages.extend([
        door("FieldInvalid", "the key", &[Subject], |draft| {
            draft.kind = Kind::KeyRevoked(proto::KeyRevoked { key_id: bytes(&[1; 15]) });
        }),
        rule("NotPermitted", "another resident", &[Signers], |draft| draft.signers = vec![alice()]),
        rule("NotPermitted", "another station", &[Signers], |draft| draft.signers = vec![other_staff()]),
        rule("NotPermitted", "the service key", &[Signers], |draft| draft.signers = vec![service_key()]),
        rule("RevokedKeyUnknown", "a stranger's", &[Subject], |draft| set_key(draft, STRANGER)),
        rule("KeyAlreadyRevoked", "a resident's", &[Subject], |draft| set_key(draft, REVOKED)),
        rule("KeyAlreadyRevoked", "an operator's", &[Subject], |draft| set_key(draft, REVOKED_OPERATOR)),
        rule("LastOperatorKey", "its own", &[Subject], |draft| set_key(draft, 1)),
    ]);
    let hidden = &[Hidden {
        later: "RevokedKeyUnknown",
        earlier: ("NotPermitted", "another station"),
        why: "nobody can tell which station serves the owner of a key that isn't there",
    }];
    let draft = Draft::new(world.places, &[operator()], revoke(&bob()));
    Case { name: "KeyRevoked", draft, breakages, hidden }
}

fn defined(draft: &mut Draft) -> &mut proto::RegionDefined {
    let Kind::RegionDefined(defined) = &mut draft.kind else { unreachable!() };
    defined
}

/// A part of Leeds, by an operator.
pub(crate) fn region(world: &World) -> Case {
    let mut breakages = common(&[]);
    breakages.extend([
        door("FieldInvalid", "the code", &[Code], |draft| "a b".clone_into(&mut defined(draft).code)),
        door("FieldInvalid", "the parent", &[Parent], |draft| "a b".clone_into(&mut defined(draft).parent)),
        rule("NotPermitted", "staff", &[Signers], |draft| draft.signers = vec![staff()]),
        rule("NotPermitted", "the service key", &[Signers], |draft| draft.signers = vec![service_key()]),
        rule("RegionUnknown", "the parent", &[Parent], |draft| "nowhere".clone_into(&mut defined(draft).parent)),
        rule("RegionExists", "the parent itself", &[Code], |draft| "leeds".clone_into(&mut defined(draft).code)),
        rule("TooManyRegions", "10,000", &[InReady], |draft| draft.target = Target::Full),
    ]);
    let kind = proto::RegionDefined { code: "leeds-north".to_owned(), parent: "leeds".to_owned() };
    let draft = Draft::new(world.places, &[operator()], Kind::RegionDefined(kind));
    Case { name: "RegionDefined", draft, breakages, hidden: &[] }
}

fn opened(draft: &mut Draft) -> &mut proto::AccountOpened {
    let Kind::AccountOpened(opened) = &mut draft.kind else { unreachable!() };
    opened
}

/// What breaks the opening of any account.
fn any_account() -> Vec<crate::Breakage> {
    let mut breakages = common(&[]);
    breakages.extend([
        door("FieldInvalid", "the account", &[Account], |draft| opened(draft).account = bytes(&[1; 15])),
        door("FieldInvalid", "no kind", &[Kind], |draft| opened(draft).kind = 0),
        door("FieldInvalid", "another issuance", &[Kind], |draft| opened(draft).kind = AccountKind::Issuance.into()),
        rule("NotPermitted", "a resident", &[Signers], |draft| draft.signers = vec![alice()]),
        rule("NotPermitted", "the service key", &[Signers], |draft| draft.signers = vec![service_key()]),
        rule("NotPermitted", "another station", &[Signers], |draft| draft.signers = vec![other_staff()]),
        rule("AccountExists", "Alice's", &[Account], |draft| opened(draft).account = bytes(&ALICE)),
    ]);
    breakages
}

/// At a station, by an operator.
pub(crate) fn residents_account(world: &World) -> Case {
    let mut breakages = any_account();
    breakages.extend([
        door("FieldInvalid", "a region", &[Region], |draft| "leeds".clone_into(&mut opened(draft).region)),
        door("FieldInvalid", "an unknown region", &[Region], |draft| "nowhere".clone_into(&mut opened(draft).region)),
        door("FieldInvalid", "no station", &[Station], |draft| opened(draft).station = bytes(&[])),
        rule("AccountUnknown", "the station", &[Station], |draft| opened(draft).station = bytes(&NOBODY)),
        rule("AccountKindMismatch", "a resident", &[Station], |draft| opened(draft).station = bytes(&BOB)),
    ]);
    let hidden = &[Hidden {
        later: "AccountUnknown",
        earlier: ("NotPermitted", "another station"),
        why: "nobody is staff of a station that isn't there, and any staff may be mistaken about theirs",
    }];
    let kind = open(NOBODY, AccountKind::Resident, "", Some(STATION));
    let mut draft = Draft::new(world.places, &[operator()], kind);
    opened(&mut draft).account = bytes(&[13; 16]);
    Case { name: "AccountOpened", draft, breakages, hidden }
}

/// In a region, by an operator.
pub(crate) fn station(world: &World) -> Case {
    let mut breakages = any_account();
    breakages.extend([
        door("FieldInvalid", "no region", &[Region], |draft| opened(draft).region.clear()),
        door("FieldInvalid", "a station", &[Station], |draft| opened(draft).station = bytes(&STATION)),
        rule("RegionUnknown", "nowhere", &[Region], |draft| "nowhere".clone_into(&mut opened(draft).region)),
    ]);
    let draft = Draft::new(world.places, &[operator()], open([13; 16], AccountKind::Station, "leeds", None));
    Case { name: "AccountOpened", draft, breakages, hidden: &[] }
}

fn set(draft: &mut Draft) -> &mut proto::FloorSet {
    let Kind::FloorSet(set) = &mut draft.kind else { unreachable!() };
    set
}

/// An hour for Alice, by an operator.
pub(crate) fn floor(world: &World) -> Case {
    let mut breakages = common(&[]);
    breakages.extend([
        door("FieldInvalid", "the account", &[Account], |draft| set(draft).account = bytes(&[1; 15])),
        door("FieldInvalid", "above zero", &[Floor], |draft| set(draft).floor_minutes = 1),
        rule("NotPermitted", "staff", &[Signers], |draft| draft.signers = vec![staff()]),
        rule("NotPermitted", "the service key", &[Signers], |draft| draft.signers = vec![service_key()]),
        rule("NotPermitted", "the owner alone", &[Signers], |draft| draft.signers = vec![alice()]),
        rule("SelfDealing", "the owner signs too", &[Signers, Account], |draft| draft.signers.push(alice())),
        rule("SelfDealing", "issuance is a signer's own", &[Signers, Account], |draft| {
            draft.signers.push(key(OWNS_ISSUANCE));
            set(draft).account = bytes(&ISSUANCE);
        }),
        rule("AccountUnknown", "nobody's", &[Account], |draft| set(draft).account = bytes(&NOBODY)),
        rule("AccountKindMismatch", "issuance", &[Account], |draft| set(draft).account = bytes(&ISSUANCE)),
    ]);
    let kind = proto::FloorSet { account: bytes(&ALICE), floor_minutes: -60 };
    let draft = Draft::new(world.places, &[operator()], Kind::FloorSet(kind));
    Case { name: "FloorSet", draft, breakages, hidden: &[] }
}
