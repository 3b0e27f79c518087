//! Catalogue C: messages that never end. libzmq shows nobody a message before its last frame, so
//! what has come of one lies in its own memory; `.libzmq/patches/unfinished-messages.patch` is what
//! bounds it.

use std::time::Duration;

use crate::hostile::Witness;
use orden_kit::programs::broker::Broker;
use orden_kit::zmtp::{MORE, Speaker, frame};

const PATIENCE: Duration = Duration::from_secs(30);
/// The most bytes of a message, and what a frame may have beyond.
const ALLOWED: usize = (4 << 20) + (64 << 10);
/// The most bytes of all frames before the last one.
const BEFORE_THE_LAST: usize = 256 << 10;

/// Sends a frame that is followed by another until the broker ends the connection; says how many
/// bytes it took.
fn never_end(address: &str, size: usize) -> usize {
    let mut speaker = Speaker::join(address, b"endless");
    let many = frame(MORE, &vec![7; size]).repeat((64 << 10) / (size + 2) + 1);
    let mut sent = 0;
    while speaker.say(&many) {
        sent += many.len();
        assert!(sent < 64 << 20, "frames of {size}: {sent} bytes are taken");
    }
    sent
}

#[test]
fn a_message_that_never_ends_ends_its_connection() {
    let mut broker = Broker::in_memory(&[]);
    let address = broker.address().to_owned();
    let mut witness = Witness::new(&mut broker);
    never_end(&address, 64 << 10);
    witness.is_served("33: the first that never ends");
    let before = witness.broker.usage().resident_bytes;
    for size in [0, 1, 33, 34, 255, 4 << 10, 64 << 10, 1 << 20] {
        never_end(&address, size);
        witness.is_served("33: a message that never ends");
        let grown = witness.broker.usage().resident_bytes.saturating_sub(before);
        assert!(grown < 24 << 20, "{grown} bytes for frames of {size}");
    }
}

#[test]
fn all_frames_of_a_message_together_have_the_bytes_of_one() {
    let mut broker = Broker::in_memory(&[]);
    let address = broker.address().to_owned();
    let mut witness = Witness::new(&mut broker);
    // What is allowed is answered as ever, again and again over one connection.
    let mut speaker = Speaker::join(&address, b"just so");
    let first = vec![7; BEFORE_THE_LAST];
    let last = vec![7; ALLOWED - BEFORE_THE_LAST - 64];
    for round in 1..=3 {
        assert!(speaker.message(&[&first, &last]));
        witness.broker.await_refused("too_many_frames", round);
    }
    for (before_the_last, at_last) in [(0, 256), (1, 0)] {
        let mut speaker = Speaker::join(&address, b"too much");
        let first = vec![7; first.len() + before_the_last];
        let last = vec![7; last.len() + at_last];
        speaker.message(&[&first, &last]);
        assert!(speaker.is_closed_within(PATIENCE));
        witness.is_served("33: more than all frames may have");
    }
}
