//! What peers make the broker hold before a message is ordered, at its worst: frames of every size
//! of which the last byte never comes, and connections that say nothing. The bounds are those of
//! the formula in `docs/performance.md`.

use std::time::Duration;

use crate::hostile::Witness;
use orden_kit::clock::{now_us, pause, since_ms};
use orden_kit::programs::broker::Broker;
use orden_kit::zmtp::{Speaker, frame};

/// What a connection itself costs at most.
const A_CONNECTION: u64 = 128 << 10;
/// What else may come and go in a process meanwhile.
const SLACK: u64 = 16 << 20;
/// How long its memory has to stay the same for it to have taken in what it is going to.
const SETTLED_MS: u64 = 500;

/// Connections that send all of a frame of this size but its last byte, as far as they are read.
fn begin(address: &str, peers: usize, size: usize) -> Vec<Speaker> {
    let bytes = frame(0, &vec![7; size]);
    let bytes = &bytes[..bytes.len() - 1];
    (0..peers)
        .map(|number| {
            let mut speaker = Speaker::join(address, format!("{size} {number}").as_bytes());
            speaker.say_what_is_taken(bytes, Duration::from_millis(20));
            speaker
        })
        .collect()
}

/// The most memory that it has until it has stayed the same.
fn settled(broker: &Broker) -> u64 {
    let mut most = broker.usage().resident_bytes;
    let mut since = now_us();
    while since_ms(since) < SETTLED_MS {
        pause(Duration::from_millis(20));
        let now = broker.usage().resident_bytes;
        if now > most {
            most = now;
            since = now_us();
        }
    }
    most
}

#[test]
fn frames_that_are_not_finished_are_bounded_over_all_connections() {
    let room: u64 = 24 << 20;
    let flags = ["--max-received-bytes", &room.to_string()];
    for (size, peers) in [(4 << 20, 40), (256 << 10, 300), (60 << 10, 400), (200, 400)] {
        let mut broker = Broker::in_memory(&flags);
        let address = broker.address().to_owned();
        let mut witness = Witness::new(&mut broker);
        let before = settled(witness.broker);
        let hogs = begin(&address, peers, size);
        let grown = settled(witness.broker).saturating_sub(before);
        // Up to here an unfinished frame is its connection's, beyond it is one of all.
        let unfinished = if size > 256 << 10 { 0 } else { size as u64 };
        let bound = room + peers as u64 * (A_CONNECTION + unfinished) + SLACK;
        assert!(grown <= bound, "{size}: {grown} of {bound}");
        witness.is_served("frames that are not finished keep none of their size or less waiting");
        drop(hogs);
        witness.is_served("who did not finish is gone");
        // What needs room finds it again.
        let large = "x".repeat(3 << 20);
        witness.is_served(&large);
    }
}

#[test]
fn connections_that_say_nothing_have_their_cost() {
    let mut broker = Broker::in_memory(&[]);
    let address = broker.address().to_owned();
    let witness = Witness::new(&mut broker);
    let before = settled(witness.broker);
    let peers = 500;
    let idle: Vec<_> = (0..peers)
        .map(|number| Speaker::join(&address, format!("idle {number}").as_bytes()))
        .collect();
    let grown = settled(witness.broker).saturating_sub(before);
    let bound = peers * A_CONNECTION;
    assert!(grown <= bound, "{grown} of {bound}");
    drop(idle);
}
