//! Bad input to the real program: bytes in, answer out, and after each of them a member that
//! behaves well is still served in order.
//!
//! The numbers are those of the catalogue in `docs/security.md`.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

mod abort;
mod connections;
mod encrypted;
mod messages;
mod metadata;
mod received;
mod unfinished;

use crate::security::stage::Peer;
use orden_kit::programs::broker::Broker;
use orden_kit::zmtp::Speaker;

/// A member that behaves well, and sees whether it is served in order.
pub(crate) struct Witness<'a> {
    broker: &'a mut Broker,
    peer: Peer,
    next: u64,
}

impl<'a> Witness<'a> {
    pub(crate) fn new(broker: &'a mut Broker) -> Self {
        let peer = Peer::join(broker, "witness", None);
        peer.say("witness: begins");
        let next = peer.hear_until("witness: begins") + 1;
        Self { broker, peer, next }
    }

    /// Says something, and hears it after everything else, without a gap.
    pub(crate) fn is_served(&mut self, after: &str) {
        assert!(self.broker.is_alive(), "{after}: the broker has ended");
        let text = format!("witness: {after}");
        self.peer.say(&text);
        loop {
            let (number, heard) = self.peer.hear();
            // What was not acknowledged in time may come twice.
            assert!(number <= self.next, "{after}: a gap before {number}");
            self.next = self.next.max(number + 1);
            if heard == text {
                return;
            }
        }
    }

    pub(crate) fn broker(&self) -> &Broker {
        self.broker
    }

    /// Waits until one thing more has been counted than before.
    fn await_one_more(&self, counted: &str, before: u64) {
        self.broker.await_refused(counted, before + 1);
    }
}

#[test]
fn memory_does_not_grow_with_what_is_refused() {
    let mut broker = Broker::in_memory(&[]);
    let address = broker.address().to_owned();
    let mut witness = Witness::new(&mut broker);
    // Each waits until all was read: with its connection, what is unread would be gone.
    let flood = |witness: &Witness<'_>, round: u64| {
        let mut speaker = Speaker::join(&address, format!("flood {round}").as_bytes());
        for _ in 0..20_000 {
            speaker.message(&[b"no JSON"]);
        }
        witness
            .broker
            .await_refused("not_json", 20_000 * (round + 1));
    };
    flood(&witness, 0);
    witness.is_served("a first flood");
    let before = witness.broker.usage().resident_bytes;
    for round in 1..6 {
        flood(&witness, round);
    }
    witness.is_served("five more");
    let grown = witness.broker.usage().resident_bytes.saturating_sub(before);
    assert!(
        grown < 8 << 20,
        "{grown} bytes for 100,000 refused messages"
    );
    let said = witness.broker.program().complaints();
    let lines = said.lines().filter(|line| line.contains("not a JSON"));
    let lines = lines.count();
    assert!(lines < 200, "{lines} lines of complaint");
}
