//! The checker is itself tested: histories that break a promise, each in one way, and nothing
//! else. A checker that finds nothing wrong proves nothing unless it would have.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod builders;
mod ended_sessions;
mod side_by_side;

use builders::{
    ack, after, confirm, cursor, deliver, digest, hello, is_cursor, is_delivery, is_log, is_open,
    is_send, is_start, log, open, send, serves, settled, start, verify,
};
use orden_kit::checker::Property;
use orden_kit::checker::history::{Event, Message, Moment};

/// A history that keeps every promise: `ana` and `bob` join, each says something, both get both
/// and acknowledge; `ana` crashes and comes back, and so does the broker.
fn good() -> Vec<Event> {
    let mut history = vec![
        Event::BrokerStart { epoch: 1, next: 0 },
        start("ana", None),
        hello("ana", "ana/1", None),
        open("ana", false, 1),
        cursor("ana", 1, 1),
        start("bob", None),
        hello("bob", "bob/1", None),
        open("bob", false, 2),
        cursor("bob", 2, 2),
        serves("ana", "ana/1", 2),
        deliver("ana", 1, "Server", None, "bob has joined"),
        send("ana", 1, "uno"),
        confirm("ana", 1, 2),
        serves("ana", "ana/1", 3),
        serves("bob", "bob/1", 3),
        deliver("ana", 2, "ana", Some(1), "uno"),
        deliver("bob", 2, "ana", Some(1), "uno"),
        ack("ana", "ana/1", 2),
        cursor("ana", 3, 3),
        send("bob", 1, "dos"),
        Event::Crash { who: "ana".into() },
        Event::BrokerCrash,
        Event::BrokerStart { epoch: 2, next: 3 },
        cursor("ana", 1, 1),
        start("ana", Some(3)),
        hello("ana", "ana/2", Some(3)),
        open("ana", true, 3),
        cursor("ana", 3, 3),
        hello("bob", "bob/2", Some(3)),
        open("bob", true, 3),
        confirm("bob", 1, 3),
        serves("ana", "ana/2", 4),
        deliver("ana", 3, "bob", Some(1), "dos"),
        deliver("bob", 3, "bob", Some(1), "dos"),
        Event::Healed,
    ];
    history.extend(log(&["ana joined", "bob joined", "ana#1 uno", "bob#1 dos"]));
    history.extend([settled("ana"), settled("bob")]);
    history
}

#[test]
fn a_good_history_passes() {
    verify(&good()).unwrap();
}

#[test]
fn a_history_survives_writing_and_reading() {
    for event in good() {
        let moment = Moment { at: 7, event };
        let line = serde_json::to_string(&moment).unwrap();
        assert_eq!(serde_json::from_str::<Moment>(&line).unwrap(), moment);
    }
}

#[test]
fn a_message_that_nobody_sent() {
    let forged = deliver("ana", 1, "bob", None, "nada");
    breaks(Property::NoCreation, |event| {
        is_delivery(event, "ana", 1).then(|| vec![forged.clone()])
    });
}

#[test]
fn a_message_under_a_false_name() {
    breaks(Property::NoCreation, |event| match event {
        Event::Confirm { .. } => Some(Vec::new()),
        Event::Deliver { who, message } if message.order == 2 => {
            let who = who.clone();
            let sender = Some("eva".into());
            let message = Message {
                sender,
                ..message.clone()
            };
            Some(vec![Event::Deliver { who, message }])
        }
        _ => None,
    });
}

#[test]
fn a_confirmation_of_nothing() {
    breaks(
        Property::NoCreation,
        after(|event| is_send(event, "ana"), confirm("ana", 2, 2)),
    );
}

#[test]
fn the_same_message_twice() {
    let again = deliver("bob", 2, "ana", Some(1), "uno");
    breaks(
        Property::NoDuplication,
        after(|event| is_delivery(event, "bob", 2), again),
    );
}

#[test]
fn a_delivery_again_after_the_client_came_back_with_its_position() {
    let again = deliver("ana", 2, "ana", Some(1), "uno");
    breaks(
        Property::NoDuplication,
        after(|event| is_open(event, "ana", 3), again),
    );
}

#[test]
fn two_orders() {
    let other = deliver("bob", 2, "bob", Some(1), "dos");
    let swapped = |event: &Event| {
        is_delivery(event, "bob", 2).then(|| vec![send("bob", 1, "dos"), other.clone()])
    };
    breaks(Property::TotalOrder, swapped);
}

#[test]
fn a_message_left_out() {
    breaks(Property::NoGap, |event| {
        is_delivery(event, "ana", 2).then(Vec::new)
    });
}

#[test]
fn a_position_beyond_what_was_delivered() {
    let late = start("ana", Some(4));
    breaks(Property::NoGap, |event| {
        is_start(event, Some(3)).then(|| vec![late.clone()])
    });
}

#[test]
fn a_session_that_goes_on_too_late() {
    let late = open("ana", true, 4);
    breaks(Property::NoGap, |event| {
        is_open(event, "ana", 3).then(|| vec![late.clone()])
    });
}

#[test]
fn a_skip_of_what_is_still_kept() {
    let skip = Event::Skip {
        who: "bob".into(),
        to: 4,
    };
    breaks(Property::NoGap, |event| {
        is_delivery(event, "bob", 3).then(|| vec![skip.clone()])
    });
}

#[test]
fn an_epoch_twice() {
    breaks(Property::Density, |event| match event {
        Event::BrokerStart { epoch: 2, next } => Some(vec![Event::BrokerStart {
            epoch: 1,
            next: *next,
        }]),
        _ => None,
    });
}

#[test]
fn a_hole_in_the_log() {
    breaks(Property::Density, |event| is_log(event, 1).then(Vec::new));
}

#[test]
fn a_log_that_lost_its_end() {
    breaks(Property::Density, |event| is_log(event, 3).then(Vec::new));
}

#[test]
fn a_number_that_was_seen_and_is_free_again() {
    let back = |event: &Event| match event {
        Event::BrokerStart { epoch: 2, .. } => Some(vec![Event::BrokerStart { epoch: 2, next: 2 }]),
        Event::Confirm { .. } => Some(Vec::new()),
        _ => None,
    };
    breaks(Property::NoReuse, back);
}

#[test]
fn a_confirmed_message_that_is_lost() {
    breaks(Property::Durability, |event| match event {
        Event::BrokerStart { epoch: 2, .. } => Some(vec![Event::BrokerStart { epoch: 2, next: 2 }]),
        _ => None,
    });
}

#[test]
fn a_confirmed_number_that_is_another_message_in_the_log() {
    let other = log(&["ana joined", "bob joined", "bob#1 dos"]).remove(2);
    breaks(Property::TotalOrder, |event| {
        is_log(event, 2).then(|| vec![other.clone()])
    });
}

#[test]
fn a_member_that_never_gets_the_last_message() {
    breaks(Property::Liveness, |event| {
        is_delivery(event, "ana", 3).then(Vec::new)
    });
}

#[test]
fn a_publisher_that_never_hears() {
    let unheard =
        |event: &Event| matches!(event, Event::Confirm { who, .. } if who == "bob").then(Vec::new);
    breaks(Property::Liveness, unheard);
}

#[test]
fn a_sender_whose_messages_change_places() {
    let mut history = good();
    let at = history
        .iter()
        .position(|event| is_send(event, "bob"))
        .unwrap();
    history.splice(at..=at, [send("bob", 0, "tres"), send("bob", 0, "cuatro")]);
    history.retain(|event| !matches!(event, Event::Confirm { who, .. } if who == "bob"));
    history.retain(|event| event.order() != Some(3) && !matches!(event, Event::Settled { .. }));
    history.retain(|event| !matches!(event, Event::Log { .. } | Event::LogEnd { .. }));
    let swapped = [
        "ana joined",
        "bob joined",
        "ana#1 uno",
        "bob cuatro",
        "bob tres",
    ];
    history.extend(log(&swapped));
    assert_eq!(verify(&history), Err(Property::SenderOrder));
}

#[test]
fn a_client_sequence_left_out() {
    breaks(Property::SenderOrder, |event| match event {
        Event::Send { who, .. } if who == "bob" => Some(vec![send("bob", 2, "dos")]),
        Event::Confirm { who, .. } if who == "bob" => Some(vec![confirm("bob", 2, 3)]),
        Event::Deliver { who, message } if message.order == 3 => {
            Some(vec![deliver(who, 3, "bob", Some(2), "dos")])
        }
        Event::Log { message, .. } if message.order == 3 => {
            let message = Message {
                sequence: Some(2),
                ..message.clone()
            };
            Some(vec![Event::Log {
                message,
                notice: None,
            }])
        }
        _ => None,
    });
}

#[test]
fn an_answer_before_the_question() {
    breaks(
        Property::Causality,
        after(|event| is_send(event, "bob"), confirm("bob", 1, 0)),
    );
}

#[test]
fn a_message_ordered_twice() {
    let mut history = good();
    history.retain(|event| !matches!(event, Event::Settled { .. } | Event::LogEnd { .. }));
    let again = log(&[
        "ana joined",
        "bob joined",
        "ana#1 uno",
        "bob#1 dos",
        "ana#1 uno",
    ]);
    history.extend(again.into_iter().skip(4));
    assert_eq!(verify(&history), Err(Property::ExactlyOnce));
}

#[test]
fn what_had_to_be_refused_is_ordered() {
    let misuse = Event::Misuse {
        who: "eva".into(),
        digest: digest("ana", "uno"),
    };
    breaks(
        Property::ExactlyOnce,
        after(|event| is_send(event, "ana"), misuse),
    );
}

#[test]
fn a_floor_ahead_of_the_acknowledgement() {
    breaks(Property::AckSoundness, |event| {
        is_cursor(event, "ana", 3).then(|| vec![cursor("ana", 4, 4)])
    });
}

#[test]
fn an_acknowledgement_of_what_was_not_sent() {
    let ahead = [ack("ana", "ana/1", 7), cursor("ana", 8, 8)];
    breaks(Property::AckSoundness, |event| {
        is_cursor(event, "ana", 3).then(|| ahead.to_vec())
    });
}

#[test]
fn a_floor_that_falls() {
    breaks(
        Property::AckSoundness,
        after(|event| is_cursor(event, "ana", 3), cursor("ana", 2, 2)),
    );
}

#[test]
fn an_acknowledgement_over_an_old_connection() {
    let zombie = [ack("ana", "ana/1", 2), cursor("ana", 3, 3)];
    let mut history = good();
    let at = history
        .iter()
        .rposition(|event| is_open(event, "ana", 3))
        .unwrap();
    history[at - 2] = start("ana", Some(2));
    history[at - 1] = hello("ana", "ana/2", Some(2));
    history.truncate(at);
    history.push(cursor("ana", 2, 2));
    history.extend(zombie);
    assert_eq!(verify(&history), Err(Property::AckSoundness));
}

#[test]
fn two_connections_served() {
    breaks(
        Property::Fencing,
        after(|event| is_open(event, "ana", 3), serves("ana", "ana/1", 4)),
    );
}

#[test]
fn a_window_overrun() {
    breaks(
        Property::Bounds,
        after(|event| is_cursor(event, "ana", 3), cursor("ana", 3, 9)),
    );
}

#[test]
fn somebody_who_joins_twice() {
    let mut history = good();
    history.retain(|event| !matches!(event, Event::Settled { .. } | Event::LogEnd { .. }));
    let again = log(&[
        "ana joined",
        "bob joined",
        "ana#1 uno",
        "bob#1 dos",
        "ana joined",
    ]);
    history.extend(again.into_iter().skip(4));
    assert_eq!(verify(&history), Err(Property::Notices));
}

/// Changes a good history: whatever `change` answers stands in place of the event. Asserts that
/// this breaks just this promise.
fn breaks(property: Property, change: impl Fn(&Event) -> Option<Vec<Event>>) {
    let good = good();
    let bad: Vec<_> = good
        .iter()
        .flat_map(|event| change(event).unwrap_or_else(|| vec![event.clone()]))
        .collect();
    assert_ne!(bad, good, "nothing was changed");
    assert_eq!(verify(&bad), Err(property));
}
