#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::server::limits::{EDGE_BYTES_MAX, LITTLE_BYTES};

const ROOM: Room = Room { connections: 8, closing: 8 };
const SECOND: Duration = Duration::from_secs(1);
/// How long is waited for what must not come.
const A_WHILE: Duration = Duration::from_millis(100);

/// Time that passes when a test says so.
#[derive(Clone, Default)]
struct Time(Arc<AtomicU64>);

impl Time {
    fn pass(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

fn connections() -> (Connections, Time) {
    let time = Time::default();
    let read = time.clone();
    (Connections::in_time(ROOM, move || read.0.load(Ordering::Relaxed)), time)
}

async fn come(all: &Connections) -> Place {
    all.welcome(all.descriptor().await.unwrap())
}

fn going(place: &Place) -> Option<Going> {
    *place.told.borrow()
}

#[tokio::test]
async fn whoever_never_asked_goes_first_then_whoever_does_nothing_then_whoever_was_quiet_longest() {
    let (all, time) = connections();
    let mut places = Vec::new();
    let mut calls = Vec::new();
    // Two of each kind, the older ones first, and the rest under way.
    for number in 0..ROOM.connections {
        let place = come(&all).await;
        let busy = (number >= 2).then(|| place.connection.begin(0, None).unwrap());
        calls.push(busy.filter(|_| number >= 4));
        places.push(place);
        time.pass(1_000);
    }
    for (number, how) in
        [Going::AtOnce, Going::AtOnce, Going::Quietly, Going::Quietly, Going::AtOnce].iter().enumerate()
    {
        let newcomer = come(&all).await;
        // It is under way itself, or it would be the next.
        calls.push(Some(newcomer.connection.begin(0, None).unwrap()));
        places.push(newcomer);
        let told: Vec<_> = places.iter().map(going).collect();
        assert_eq!(told[number], Some(*how), "{told:?}");
        assert_eq!(told.iter().flatten().count(), number + 1, "{told:?}");
        time.pass(1_000);
    }
    assert!(all.have_sent_away());
    assert!(!all.have_sent_away(), "it is told once");
}

#[tokio::test]
async fn a_descriptor_is_there_again_when_a_connection_is_gone() {
    let (all, _time) = connections();
    let mut places = Vec::new();
    for _ in 0..ROOM.connections + ROOM.closing {
        places.push(come(&all).await);
    }
    let next = tokio::time::timeout(A_WHILE, all.descriptor()).await;
    assert!(next.is_err(), "all of them are taken");
    places.pop();
    assert!(tokio::time::timeout(60 * SECOND, all.descriptor()).await.is_ok());
}

#[tokio::test]
async fn a_connection_holds_its_share_and_no_more() {
    let (all, _time) = connections();
    let place = come(&all).await;
    let mut held = place.connection.charge(CONNECTION_BYTES_MAX - 10).unwrap();
    assert_eq!(place.connection.charge(11).map(drop), Err(NoRoom::Connection));
    assert_eq!(held.grow(11).map(drop), Err(NoRoom::Connection));
    held.grow(10).unwrap();
    let part = held.split(5);
    assert!(place.connection.charge(1).is_err());
    drop(part);
    let mut waiting = Box::pin(place.connection.room(6));
    assert!(tokio::time::timeout(A_WHILE, &mut waiting).await.is_err(), "5 are free");
    drop(held);
    assert!(tokio::time::timeout(60 * SECOND, &mut waiting).await.is_ok());
    drop(waiting);
    assert_eq!(going(&place), None, "nobody else needed its room");
    let (connection, held) = (place.connection.clone(), place.connection.charge(CONNECTION_BYTES_MAX).unwrap());
    drop(place);
    let patient = tokio::time::timeout(60 * SECOND, connection.room(1)).await;
    assert_eq!(patient.unwrap().map(drop), Err(NoRoom::Gone), "its client is gone");
    let spare = tokio::time::timeout(60 * SECOND, connection.spare_room(EDGE_BYTES_MAX)).await;
    assert_eq!(spare.unwrap().map(drop), Err(NoRoom::Gone));
    drop(held);
}

#[tokio::test]
async fn those_who_bring_much_at_once_have_equal_parts_and_leave_one_to_whoever_comes_next() {
    const PIECE: usize = 64 * 1_024;
    for count in 1..ROOM.connections {
        let (all, time) = connections();
        let mut places = Vec::new();
        for _ in 0..count {
            places.push(come(&all).await);
        }
        let mut held: Vec<Vec<Charge>> = (0..count).map(|_| Vec::new()).collect();
        // The first takes what it can before the others come.
        while let Ok(more) = places[0].connection.charge_spare(PIECE) {
            held[0].push(more);
        }
        assert_eq!(held[0].len() * PIECE, CONNECTION_BYTES_MAX, "a third, alone");
        loop {
            let before = held.iter().map(Vec::len).sum::<usize>();
            // It gives back as it goes on.
            held[0].pop();
            time.pass(10);
            for (place, held) in places.iter().zip(&mut held) {
                held.extend(place.connection.charge_spare(PIECE));
            }
            if held.iter().map(Vec::len).sum::<usize>() == before && held[0].len() <= held[count - 1].len() + 1 {
                break;
            }
        }
        let part = (EDGE_BYTES_MAX / (count + 1)).min(CONNECTION_BYTES_MAX);
        for held in &held {
            assert!((held.len() * PIECE).abs_diff(part) <= 2 * PIECE, "{} pieces of {count}", held.len());
        }
        let newcomer = come(&all).await;
        let _found = newcomer.connection.charge(part - 2 * PIECE).unwrap();
        assert!(places.iter().all(|place| going(place).is_none()), "{count}");
    }
}

#[tokio::test]
async fn whoever_held_most_for_longest_makes_room_for_others() {
    let (all, time) = connections();
    let (slow, large, newcomer) = (come(&all).await, come(&all).await, come(&all).await);
    let fill = |place: &Place, bytes| place.connection.charge(bytes).unwrap();
    let mut held = vec![fill(&slow, CONNECTION_BYTES_MAX / 2)];
    time.pass(30_000);
    let rest = EDGE_BYTES_MAX - CONNECTION_BYTES_MAX / 2;
    let mut others = vec![large];
    while others.len() * CONNECTION_BYTES_MAX < rest {
        others.push(come(&all).await);
    }
    for (number, place) in others.iter().enumerate() {
        held.push(fill(place, CONNECTION_BYTES_MAX.min(rest - number * CONNECTION_BYTES_MAX)));
    }
    time.pass(1_000);
    held.push(fill(&newcomer, 1));
    assert_eq!(going(&slow), Some(Going::AtOnce), "half as much, thirty times as long");
    assert!(others.iter().all(|place| going(place).is_none()));
    assert_eq!(slow.connection.charge(1).map(drop), Err(NoRoom::Gone), "it gets no more");
    let patient = tokio::time::timeout(60 * SECOND, slow.connection.room(1)).await;
    assert_eq!(patient.unwrap().map(drop), Err(NoRoom::Gone), "nor by waiting");
    // What it holds is lent meanwhile, to those who hold little.
    held.push(fill(&newcomer, LITTLE_BYTES / 4));
    assert_eq!(newcomer.connection.charge(LITTLE_BYTES).map(drop), Err(NoRoom::Service));
    assert!(others.iter().all(|place| going(place).is_none()));
    drop(slow);
    drop(held);
    assert_eq!(all.table().held, 0);
    assert_eq!(all.table().leaving, 0);
}

#[tokio::test]
async fn whoever_has_most_of_it_gets_no_more_at_the_cost_of_others() {
    let (all, time) = connections();
    let mut places = Vec::new();
    let mut held = Vec::new();
    let shares = EDGE_BYTES_MAX / CONNECTION_BYTES_MAX;
    for _ in 0..shares {
        let place = come(&all).await;
        held.push(place.connection.charge(CONNECTION_BYTES_MAX - 1_024).unwrap());
        places.push(place);
        time.pass(1_000);
    }
    let newcomer = come(&all).await;
    held.push(newcomer.connection.charge(shares * 1_024).unwrap());
    // The first one has held its share longest.
    assert_eq!(places[0].connection.charge(1_024).map(drop), Err(NoRoom::Service));
    assert!(places.iter().all(|place| going(place).is_none()));
}

#[tokio::test]
async fn what_was_held_for_how_long_stays_true_through_any_changes() {
    let (all, time) = connections();
    let place = come(&all).await;
    let mut random = fastrand::Rng::with_seed(1);
    let mut charges: Vec<Charge> = Vec::new();
    for _ in 0..10_000 {
        time.pass(random.u64(0..50));
        let some = (!charges.is_empty()).then(|| random.usize(0..charges.len()));
        match (random.u8(0..4), some) {
            (0, Some(some)) => {
                // Refused is as good.
                let _full = charges[some].grow(random.usize(1..100_000));
            }
            (1, Some(some)) => {
                let part = charges[some].split(random.usize(1..100_000));
                charges.push(part);
            }
            (2, Some(some)) => drop(charges.swap_remove(some)),
            _ => charges.extend(place.connection.charge(random.usize(1..100_000))),
        }
        let table = all.table();
        let account = table.accounts.get(&place.connection.0.number).unwrap();
        let weights = charges.iter().map(|charge| u128::from(charge.at_ms) * charge.bytes as u128);
        assert_eq!(account.weight, weights.sum::<u128>());
        assert_eq!(account.held, charges.iter().map(|charge| charge.bytes).sum::<usize>());
        assert_eq!(table.held, account.held);
    }
    drop(place);
    assert!(!all.table().accounts.is_empty(), "it still holds something");
    drop(charges);
    assert!(all.table().accounts.is_empty());
}

#[tokio::test]
async fn whoever_follows_the_log_most_often_makes_a_place_for_whoever_does_less() {
    let (all, _time) = connections();
    let (many, few, newcomer) = (come(&all).await, come(&all).await, come(&all).await);
    let mut subscribers: Vec<_> = (0..SUBSCRIBERS_MAX - 1).map(|_| many.connection.subscribe().unwrap()).collect();
    subscribers.push(few.connection.subscribe().unwrap());
    assert!(many.connection.subscribe().is_none(), "it has most of them itself");
    assert_eq!(going(&many), None);
    subscribers.push(newcomer.connection.subscribe().unwrap());
    assert_eq!((going(&many), going(&few)), (Some(Going::AtOnce), None));
    // Theirs count no more: whoever comes next needs nobody else to go.
    subscribers.push(come(&all).await.connection.subscribe().unwrap());
    subscribers.push(few.connection.subscribe().unwrap());
    assert_eq!(going(&few), None);
    drop((many, few, newcomer, subscribers));
    let table = all.table();
    assert_eq!((table.subscribers, table.leaving_subscribers, table.accounts.len()), (0, 0, 0));
}

#[tokio::test]
async fn whoever_follows_the_log_finds_a_place_where_others_have_two_each() {
    let all = Connections::new(Room { connections: SUBSCRIBERS_MAX, closing: 8 });
    let (mut places, mut subscribers) = (Vec::new(), Vec::new());
    for _ in 0..SUBSCRIBERS_MAX / 2 {
        let place = come(&all).await;
        subscribers.extend((0..2).map(|_| place.connection.subscribe().unwrap()));
        places.push(place);
    }
    let newcomer = come(&all).await;
    subscribers.push(newcomer.connection.subscribe().unwrap());
    assert_eq!(places.iter().filter(|place| going(place).is_some()).count(), 1);
}

#[tokio::test]
async fn a_call_whose_answer_nobody_touches_keeps_no_connection_busy() {
    let (all, time) = connections();
    let place = come(&all).await;
    assert!(!place.connection.is_busy(SECOND));
    let call = place.connection.begin(0, None).unwrap();
    time.pass(10_000);
    assert!(place.connection.is_busy(SECOND), "it is worked on");
    let mut sent = vec![place.connection.send(50).unwrap(), place.connection.send(50).unwrap()];
    assert!(place.connection.is_busy(SECOND));
    time.pass(2_000);
    assert!(!place.connection.is_busy(SECOND));
    drop(sent.pop());
    assert!(place.connection.is_busy(SECOND), "it goes on");
    drop(call);
    assert!(!place.connection.is_busy(SECOND));
    drop(sent);
    assert_eq!(all.table().held, 0);
}

#[tokio::test]
async fn whoever_has_most_calls_under_way_makes_way_for_whoever_has_less() {
    let (all, _time) = connections();
    let (many, few, newcomer) = (come(&all).await, come(&all).await, come(&all).await);
    let mut calls: Vec<_> = (0..CALLS_MAX - 2).map(|_| many.connection.begin(0, None).unwrap()).collect();
    calls.extend((0..2).map(|_| few.connection.begin(0, None).unwrap()));
    assert_eq!(many.connection.begin(0, None).map(drop), Err(NoRoom::Service), "it has most of them itself");
    calls.push(newcomer.connection.begin(0, None).unwrap());
    assert_eq!((going(&many), going(&few)), (Some(Going::AtOnce), None));
    // What is on its way out counts no more.
    calls.extend((0..100).map(|_| few.connection.begin(0, None).unwrap()));
    drop((many, few, newcomer));
    drop(calls);
    let table = all.table();
    assert_eq!((table.calls, table.leaving_calls, table.accounts.len()), (0, 0, 0));
}

#[tokio::test]
async fn what_a_call_holds_counts_from_its_beginning_and_nothing_of_it_twice() {
    let (all, time) = connections();
    let place = come(&all).await;
    let arrived = place.connection.charge(100).unwrap();
    time.pass(1_000);
    let call = place.connection.begin(150, Some(arrived)).unwrap();
    let stood = |all: &Connections| {
        let table = all.table();
        let account = &table.accounts[&0];
        (table.held, account.held, account.weight)
    };
    assert_eq!(stood(&all), (150, 150, 150 * 1_000));
    // Whoever holds more than it begins with keeps it.
    let arrived = place.connection.charge(100).unwrap();
    let larger = place.connection.begin(0, Some(arrived)).unwrap();
    assert_eq!(stood(&all), (250, 250, 250 * 1_000));
    time.pass(1_000);
    drop((call, larger));
    assert_eq!(stood(&all), (0, 0, 0));
}
