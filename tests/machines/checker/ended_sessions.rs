//! What the end of a session changes for the checker, and what it does not.

use crate::checker::builders::{confirm, deliver, log, open, send, start, verify};
use orden_kit::checker::Property;
use orden_kit::checker::history::Event;

const LOG: [&str; 5] = [
    "ana joined",
    "ana#1 uno",
    "ana left",
    "ana joined",
    "ana#1 uno",
];

fn gone() -> Event {
    Event::Gone { who: "ana".into() }
}

/// `ana` says something, once in each of two sessions; `between` happens before the second.
fn history(between: &[Event]) -> Vec<Event> {
    let mut history = vec![
        Event::BrokerStart { epoch: 1, next: 0 },
        start("ana", None),
        open("ana", false, 1),
        send("ana", 1, "uno"),
    ];
    history.extend_from_slice(between);
    history.extend([open("ana", false, 4), confirm("ana", 1, 4)]);
    history.extend(log(&LOG));
    history
}

#[test]
fn what_was_only_sent_may_be_ordered_again_in_the_next() {
    assert_eq!(verify(&history(&[gone(), start("ana", None)])), Ok(()));
}

#[test]
fn but_not_in_the_same() {
    let twice = history(&[start("ana", None)]);
    assert_eq!(verify(&twice), Err(Property::ExactlyOnce));
}

#[test]
fn and_not_what_was_confirmed() {
    let history = history(&[confirm("ana", 1, 1), gone(), start("ana", None)]);
    assert_eq!(verify(&history), Err(Property::ExactlyOnce));
}

/// `ana` has one message, then comes back without a position, to where `begin` is.
fn back_at(begin: u64, between: &[Event]) -> Vec<Event> {
    let mut history = vec![
        Event::BrokerStart { epoch: 1, next: 0 },
        start("ana", None),
        open("ana", false, 1),
        deliver("ana", 1, "Server", None, "bob has joined"),
    ];
    history.extend_from_slice(between);
    history.extend([start("ana", None), open("ana", true, begin)]);
    history
}

#[test]
fn the_next_begins_elsewhere_even_if_its_first_welcome_is_lost() {
    assert_eq!(verify(&back_at(5, &[gone()])), Ok(()));
    assert_eq!(verify(&back_at(5, &[])), Err(Property::NoGap));
}
