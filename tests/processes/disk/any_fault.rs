//! Every fault that a disk has, on every thread that touches the log, under load: the broker
//! lives or ends with 3, and what was confirmed is there.

use std::sync::Arc;
use std::thread;

use super::{Publisher, assert_nothing_lost, start};
use orden_kit::disk_faults::DiskFaults;

/// Three segments, with members that read and segments that go.
const MESSAGES: u64 = 250;

/// Publishes under this fault until all is confirmed or the broker ends, then without it.
#[track_caller]
fn survives(rule: &str, must_live: bool) {
    let faults = DiskFaults::new();
    let broker = start(&faults, &[]);
    let ana = Arc::new(Publisher::connect(&broker));
    ana.publish();
    ana.flush();
    faults.set(&[rule]);
    let mut broker = broker;
    // Elsewhere: the messages are more than the client takes while a broker that has ended
    // confirms none.
    let publisher = Arc::clone(&ana);
    let publishing = thread::spawn(move || (1..MESSAGES).for_each(|_| publisher.publish()));
    let all = |ana: &Publisher| ana.confirmed() == MESSAGES;
    orden_kit::poll(
        || (all(&ana) || !broker.is_alive()).then_some(()),
        "all to be confirmed, or an end",
    );
    assert!(!faults.given().is_empty(), "{rule} was never given");
    let stopped = if broker.is_alive() {
        broker.kill()
    } else {
        assert!(
            !must_live,
            "{rule} has ended it: {}",
            broker.end().0.complaint
        );
        let (end, stopped) = broker.end();
        assert_eq!(end.code(), Some(3), "{rule}: {}", end.complaint);
        stopped
    };
    let confirmed = ana.confirmed();
    faults.lift();
    let broker = stopped.start();
    let all_taken = || publishing.is_finished().then_some(());
    orden_kit::poll(all_taken, "the rest to be published");
    publishing.join().unwrap();
    ana.flush();
    assert!(confirmed <= ana.confirmed());
    assert_nothing_lost(broker.kill(), MESSAGES);
}

#[test]
fn errors_of_syncs_and_writes() {
    for thread in ["sequencer", "!sequencer"] {
        for call in ["sync", "write"] {
            for times in ["once", "always"] {
                survives(&format!("{call} {thread} * errno 5 {times}"), false);
            }
        }
    }
}

#[test]
fn short_writes_and_interrupted_ones() {
    survives("write * * short 1000 turns", true);
    survives("write * * errno 4 turns", true);
}

#[test]
fn syncs_that_take_long() {
    survives("sync sequencer * delay 60 always", true);
    survives("sync !sequencer * delay 300 always", true);
    survives("sync * * delay 2000 once", true);
}

#[test]
fn no_space_for_a_while() {
    survives("write * * space 0 turns", true);
    survives("write * next.filling errno 28 5", true);
}

#[test]
fn names_that_cannot_be_given_or_taken() {
    survives("rename * * errno 5 once", false);
    survives("open * next.filling errno 5 once", false);
}
