//! The ledger's tables beside the lists of the naive one: nothing may be in one and not in the other.

use std::collections::BTreeMap;

use timebank::{
    format::proto,
    ledger::{self, AccountNumber, EventRef, SheetOutcome, State},
};

use crate::{
    naive::{Id, Naive, Owed, Place},
    support::Ledger,
};

fn place(at: EventRef) -> Place {
    (at.index.0, u32::from(at.event))
}

fn named(state: &State, number: AccountNumber) -> Id {
    state.account(number).unwrap().id.0
}

fn kind(kind: ledger::AccountKind) -> proto::AccountKind {
    match kind {
        ledger::AccountKind::Resident => proto::AccountKind::Resident,
        ledger::AccountKind::Household => proto::AccountKind::Household,
        ledger::AccountKind::Group => proto::AccountKind::Group,
        ledger::AccountKind::Station => proto::AccountKind::Station,
        ledger::AccountKind::CommunityPool => proto::AccountKind::CommunityPool,
        ledger::AccountKind::DistrictPool => proto::AccountKind::DistrictPool,
        ledger::AccountKind::Issuance => proto::AccountKind::Issuance,
    }
}

fn role(role: ledger::KeyRole) -> proto::KeyRole {
    match role {
        ledger::KeyRole::Operator => proto::KeyRole::Operator,
        ledger::KeyRole::Staff => proto::KeyRole::Staff,
        ledger::KeyRole::Resident => proto::KeyRole::Resident,
        ledger::KeyRole::Service => proto::KeyRole::Service,
    }
}

/// Everything that both know.
pub(crate) fn same(ledger: &Ledger, model: &Naive) {
    let state = &ledger.replay.state;
    accounts(state, model);
    keys_and_regions(state, model);
    holds(state, model);
    records(ledger, model);
    found_as_looked_for(state);
}

/// What is found by account and by station is what a look at all rows finds, page by page too.
fn found_as_looked_for(state: &State) {
    let all = usize::MAX;
    for number in (0..state.accounts().len()).map(AccountNumber) {
        let keys: Vec<u32> =
            (0..state.keys().len()).filter(|key| state.keys().row(*key).unwrap().account == Some(number)).collect();
        assert_eq!(state.keys().of_account(number, 0, all), keys, "keys of {number:?}");
        for (place, first) in keys.iter().enumerate() {
            assert_eq!(state.keys().of_account(number, *first, 2), keys[place..keys.len().min(place + 2)]);
        }
        let served: Vec<AccountNumber> = (0..state.accounts().len())
            .map(AccountNumber)
            .filter(|account| state.identity(*account).unwrap().station == Some(number))
            .collect();
        assert_eq!(state.accounts().of_station(number, AccountNumber(0), all), served, "accounts of {number:?}");
        for (place, first) in served.iter().enumerate() {
            assert_eq!(state.accounts().of_station(number, *first, 2), served[place..served.len().min(place + 2)]);
        }
        let concerns = |hold: &ledger::Hold| hold.payer == number || hold.station == number;
        let holds: Vec<_> =
            state.holds().iter().map(|(at, hold)| (*at, *hold)).filter(|(_, hold)| concerns(hold)).collect();
        let first = EventRef { index: ledger::LogIndex(0), event: 0 };
        assert_eq!(state.holds().of_account(number, first).collect::<Vec<_>>(), holds, "holds of {number:?}");
    }
    let mut by_end: Vec<_> = state.holds().iter().map(|(at, hold)| (hold.expires_at, *at)).collect();
    by_end.sort_unstable();
    let middle = by_end.get(by_end.len() / 2).map_or(ledger::Millis(0), |(end, _)| *end);
    let over: Vec<_> = by_end.iter().filter(|(end, _)| *end <= middle).map(|(_, at)| *at).collect();
    assert_eq!(state.holds().run_out(middle).map(|(at, _)| at).collect::<Vec<_>>(), over, "holds that ran out");
}

fn accounts(state: &State, model: &Naive) {
    let (mut balances, mut sum) = (BTreeMap::new(), 0);
    for posting in &model.postings {
        *balances.entry(posting.account).or_insert(0) += posting.minutes;
        sum += posting.minutes;
    }
    assert_eq!(sum, 0, "all postings sum to zero");
    assert_eq!(state.accounts().len() as usize, model.accounts.len(), "accounts");
    for account in state.all_accounts() {
        let (id, other) = (account.id.0, &model.accounts[&account.id.0]);
        let region = account.region.map(|number| state.region(number).unwrap().code.as_str());
        let station = account.station.map(|number| named(state, number));
        assert_eq!((kind(account.kind), station), (other.kind, other.station), "account {id:02x?}");
        assert_eq!(region.unwrap_or_default(), other.region, "region of {id:02x?}");
        let (balance, held) = (balances.get(&id).copied().unwrap_or(0), model.held(id));
        assert_eq!(account.balance.get(), balance, "balance of {id:02x?}");
        assert_eq!(account.held.get(), held, "held by {id:02x?}");
        assert_eq!(account.floor.map(ledger::Minutes::get), other.floor, "floor of {id:02x?}");
        let available = other.floor.map(|floor| balance - held - floor);
        assert_eq!(account.available().map(ledger::Minutes::get), available, "available to {id:02x?}");
    }
}

fn keys_and_regions(state: &State, model: &Naive) {
    assert_eq!(state.keys().len() as usize, model.keys.len(), "keys");
    for key in state.keys().iter() {
        let other = &model.keys[&key.id.0];
        let account = |number: Option<AccountNumber>| number.map(|number| named(state, number));
        let found = (role(key.role), account(key.account), account(key.own_account), key.revoked);
        assert_eq!(found, (other.role, other.account, other.own, other.revoked), "key {}", key.id);
    }
    let parent = |number: u32| state.region(number).unwrap().code.as_str();
    let regions: BTreeMap<String, String> = state
        .regions()
        .iter()
        .map(|region| (region.code.as_str().to_owned(), region.parent.map_or("", parent).to_owned()))
        .collect();
    assert_eq!(regions, model.regions);
}

fn holds(state: &State, model: &Naive) {
    let found: Vec<_> = state
        .holds()
        .iter()
        .map(|(at, hold)| {
            let (payer, station) = (named(state, hold.payer), named(state, hold.station));
            (place(*at), payer, station, hold.minutes.get(), hold.expires_at.0)
        })
        .collect();
    let open = model.holds.iter().filter(|(_, hold)| !hold.ended);
    let expected: Vec<_> =
        open.map(|(at, hold)| (*at, hold.payer, hold.station, hold.minutes, hold.expires_at)).collect();
    assert_eq!(found, expected, "open holds");
}

fn records(ledger: &Ledger, model: &Naive) {
    let state = &ledger.replay.state;
    let owed = |station, volunteer, minutes: ledger::Minutes| {
        let (station, volunteer) = (named(state, station), named(state, volunteer));
        Owed { station, volunteer, minutes: minutes.get() }
    };
    let mut noted = 0;
    for (&at, record) in &model.records {
        let index = ledger::LogIndex(at.0);
        let note = ledger.note(EventRef { index, event: u16::try_from(at.1).unwrap() });
        let found = note.map(|note| {
            let overflow = note.overflow.map(|(pool, minutes)| (named(state, pool), minutes.get()));
            let owed = note.owed.map(|other| owed(other.station, other.volunteer, other.minutes));
            (place(note.latest), overflow, owed, note.reversed)
        });
        let plain = record.versions.len() == 1 && record.overflow.is_none() && !record.reversed;
        let newest = record.versions.last().unwrap().0;
        let expected = (!plain).then(|| (newest, record.overflow, record.owed.clone(), record.reversed));
        noted += usize::from(note.is_some());
        assert_eq!(found, expected, "record {at:?}");
    }
    assert_eq!(ledger.noted(), noted, "notes of records that are none");
    let mut found: Vec<_> = state
        .shortages()
        .iter()
        .map(|(_, shortage)| (place(shortage.event), owed(shortage.station, shortage.volunteer, shortage.minutes)))
        .collect();
    let mut expected = model.shortages.clone();
    // Of two that one event makes, neither is the first.
    found.sort();
    expected.sort();
    assert_eq!(found, expected, "what stations owe");
}

/// What each event of an accepted sheet posted, account by account; and each sums to zero.
pub(crate) fn same_postings(state: &State, outcome: &SheetOutcome, model: &Naive, index: u64) {
    let (mut found, mut expected) = (BTreeMap::<(u32, Id), i64>::new(), BTreeMap::new());
    let mut sums = BTreeMap::<u32, i64>::new();
    for (event, applied) in &outcome.postings {
        let (event, minutes) = (u32::from(*event), applied.posting.minutes.get());
        *found.entry((event, named(state, applied.posting.account))).or_default() += minutes;
        *sums.entry(event).or_default() += minutes;
    }
    for posting in model.postings.iter().rev().take_while(|posting| posting.at.0 == index) {
        *expected.entry((posting.at.1, posting.account)).or_default() += posting.minutes;
    }
    found.retain(|_, minutes| *minutes != 0);
    expected.retain(|_, minutes| *minutes != 0);
    assert_eq!(found, expected, "postings");
    assert!(sums.values().all(|sum| *sum == 0), "the postings of an event sum to zero: {sums:?}");
}
