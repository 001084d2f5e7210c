//! A witness among very many who want nothing of it: an honest request is answered.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{
    harness::Witness,
    http::{Log, start, start_with},
};

/// A little more than a witness has places, which all connect at once; and more than the descriptors of most processes, of
/// which the last wait until the first are let in.
const CROWDS: [usize; 2] = [300, 1_100];

/// Room for a crowd in this process.
fn make_room() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

/// Connections that send this and then nothing.
fn crowd(witness: &Witness, count: usize, sends: &[u8]) -> Vec<TcpStream> {
    let connect = |_| {
        let mut stream = TcpStream::connect(&witness.address).unwrap();
        // It may have made place for somebody else already.
        let _written = stream.write_all(sends);
        stream
    };
    (0..count).map(connect).collect()
}

fn check(witness: &Witness, crowds: &[usize], sends: &[u8]) {
    let log = Log::new(0);
    let mut old = 0;
    for (count, new) in crowds.iter().zip([3, 7]) {
        let crowd = crowd(witness, *count, sends);
        let (status, _, line) = witness.add(&log.request(old, new));
        assert_eq!(status, 200, "{line}");
        drop(crowd);
        old = new;
    }
}

#[test]
fn an_honest_request_is_answered_beside_idle_connections() {
    make_room();
    let (_data, _ledger, witness) = start();
    check(&witness, &CROWDS, b"");
}

#[test]
fn an_honest_request_is_answered_beside_half_heads() {
    make_room();
    let (_data, _ledger, witness) = start();
    check(&witness, &CROWDS, b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-le");
}

#[test]
fn an_honest_request_is_answered_beside_half_bodies() {
    make_room();
    let (_data, _ledger, witness) = start();
    check(&witness, &CROWDS, b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: 1000\r\n\r\nold 0\n");
}

#[test]
fn an_honest_request_is_answered_beside_answers_that_nobody_reads() {
    make_room();
    let (_data, _ledger, witness) = start();
    check(&witness, &CROWDS, &b"GET /nothing HTTP/1.1\r\nhost: w\r\n\r\n".repeat(100));
}

#[test]
fn what_is_cosigned_is_kept_with_few_descriptors() {
    make_room();
    // 100 descriptors for a crowd of 300, and the files of each cosignature.
    let (_data, _ledger, witness) = start_with("ulimit -n 100;");
    check(&witness, &[300, 300], b"G");
}

#[test]
fn a_connection_that_is_in_use_is_not_the_one_that_goes() {
    make_room();
    let (_data, _ledger, witness) = start();
    let body = Log::new(0).request(0, 7);
    let (first, rest) = body.split_at(10);
    let mut honest = TcpStream::connect(&witness.address).unwrap();
    honest.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let length = body.len();
    let head = "POST /add-checkpoint HTTP/1.1\r\nhost: w\r\nconnection: close";
    honest.write_all(format!("{head}\r\ncontent-length: {length}\r\n\r\n{first}").as_bytes()).unwrap();
    // So that its head is there before the others come.
    std::thread::sleep(Duration::from_millis(200));
    let _crowd = crowd(&witness, CROWDS[1], b"");
    honest.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    honest.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
