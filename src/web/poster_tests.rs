//! Tests of those who post, session by session.

use super::*;
use crate::wire::reply::{Welcome, confirm};
use crate::wire::{Epoch, LogId, OrderNumber};

const NOW: Duration = Duration::from_secs(1);

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

/// A broker's half of a conversation, as far as a poster needs one.
#[derive(Default)]
struct Scene {
    poster: Poster,
    newest: u64,
}

impl Scene {
    fn wish(&mut self, now: Duration, who: &str, wish: Wish) -> Ticket {
        self.newest += 1;
        let ticket = Ticket(self.newest);
        self.poster.wish(now, &name(who), None, ticket, wish);
        ticket
    }

    fn post(&mut self, now: Duration, sequence: u64, payload: &'static [u8]) -> Ticket {
        let payload = Bytes::from_static(payload);
        self.wish(now, "ana", Wish::Post { sequence, payload })
    }

    /// All that is said, by connection.
    fn said(&mut self) -> Vec<(u64, Vec<u8>)> {
        let words = std::iter::from_fn(|| self.poster.next_word());
        words
            .map(|(connection, _, frame)| (connection, frame))
            .collect()
    }

    fn welcome(&mut self, connection: u64) {
        let welcome = Welcome {
            resumed: true,
            epoch: Epoch(1),
            log_id: LogId(1),
            begin: OrderNumber(0),
            end: OrderNumber(0),
            last_sequence: ClientSequence(0),
            publish_window: 100,
            largest_message: 1 << 20,
        };
        self.poster.heard(connection, &welcome.encode());
    }

    fn confirm(&mut self, connection: u64, sequence: u64, order: u64) {
        let run = SequenceRun {
            sequence: ClientSequence(sequence),
            order: OrderNumber(order),
            count: 1,
        };
        self.poster.heard(connection, &confirm(&[run]));
    }

    fn refuse(&mut self, connection: u64, code: Code) {
        let (detail, text) = (0, "why");
        let refusal = Refusal { code, detail, text };
        self.poster.heard(connection, &refusal.encode());
    }
}

#[test]
fn of_two_messages_under_one_sequence_the_second_is_refused_at_once() {
    let mut scene = Scene::default();
    // Also before the session is open.
    let first = scene.post(NOW, 1, b"one");
    let other = scene.post(NOW, 1, b"two");
    let again = scene.post(NOW, 1, b"one");
    let code = Code::SequenceReused;
    let (ticket, outcome) = scene.poster.outcomes().remove(0);
    assert!(
        ticket == other
            && matches!(outcome, Outcome::Refused { code: why, detail: 1, .. } if why == code)
    );
    scene.welcome(1);
    assert_eq!(
        scene.said(),
        [(1, hello(&name("ana"))), (1, publish(1, b"one"))]
    );
    let late = scene.post(NOW, 1, b"three");
    let (ticket, outcome) = scene.poster.outcomes().remove(0);
    assert!(ticket == late && matches!(outcome, Outcome::Refused { code: why, .. } if why == code));
    assert_eq!(scene.said(), []);
    scene.confirm(1, 1, 7);
    let ordered = [first, again].map(|ticket| (ticket, Outcome::Ordered(7)));
    assert_eq!(scene.poster.outcomes(), ordered);
}

#[test]
fn whoever_goes_leaves_the_sequence_in_use() {
    let mut scene = Scene::default();
    let join = scene.wish(NOW, "ana", Wish::Join);
    let first = scene.post(NOW, 1, b"one");
    scene.poster.forget(&name("ana"), join, None);
    scene.poster.forget(&name("ana"), first, Some(1));
    scene.welcome(1);
    assert_eq!(scene.poster.outcomes(), []);
    let other = scene.post(NOW, 1, b"two");
    assert_eq!(scene.poster.outcomes()[0].0, other);
    scene.confirm(1, 1, 7);
    assert_eq!(scene.poster.outcomes(), []);
}

#[test]
fn a_number_that_comes_too_late_is_no_other_messages() {
    let mut scene = Scene::default();
    let first = scene.post(NOW, 1, b"one");
    scene.welcome(1);
    assert_eq!(scene.said().len(), 2);
    let later = NOW + ANSWER + NOW;
    scene.poster.tick(later);
    assert_eq!(scene.poster.outcomes(), [(first, Outcome::NoAnswer)]);
    scene.post(later, 1, b"two");
    scene.confirm(1, 1, 7);
    assert_eq!(scene.poster.outcomes(), []);
    scene.welcome(2);
    assert_eq!(
        scene.said(),
        [(2, hello(&name("ana"))), (2, publish(1, b"two"))]
    );
    // What was said to a broker that took the name for away is said over a connection of its own.
    scene.refuse(2, Code::NoSession);
    scene.confirm(2, 1, 7);
    assert_eq!(scene.poster.outcomes(), []);
    scene.welcome(3);
    assert_eq!(
        scene.said(),
        [(3, hello(&name("ana"))), (3, publish(1, b"two"))]
    );
}

#[test]
fn a_session_that_the_broker_does_not_understand_is_left() {
    let mut scene = Scene::default();
    let ticket = scene.post(NOW, 1, b"one");
    scene.welcome(1);
    scene.said();
    scene.refuse(1, Code::Malformed);
    assert_eq!(scene.poster.outcomes()[0].0, ticket);
    assert_eq!(scene.said(), [(1, Goodbye::Away.encode())]);
    assert!(!scene.poster.has(NOW, &name("ana")));
}

#[test]
fn the_name_that_was_not_used_for_the_longest_time_makes_room() {
    let mut scene = Scene::default();
    for at in 0..SESSIONS as u64 {
        scene.wish(
            NOW + Duration::from_millis(at),
            &format!("n{at}"),
            Wish::Join,
        );
    }
    scene.said();
    let refused = scene.post(NOW, 1, b"one");
    let (ticket, outcome) = scene.poster.outcomes().remove(0);
    let code = Code::LimitReached;
    assert!(
        ticket == refused && matches!(outcome, Outcome::Refused { code: why, .. } if why == code)
    );
    for connection in [3, 2] {
        scene.welcome(connection);
    }
    scene.poster.outcomes();
    scene.post(NOW, 1, b"one");
    assert_eq!(scene.poster.outcomes(), []);
    let newest = SESSIONS as u64 + 1;
    assert_eq!(
        scene.said(),
        [(2, Goodbye::Away.encode()), (newest, hello(&name("ana")))]
    );
    // The broker may not have heard of it yet: it is no program's.
    assert!(scene.poster.has(NOW, &name("n1")));
    scene.poster.tick(NOW + LET_GO);
    assert!(!scene.poster.has(NOW + LET_GO, &name("n1")));
}
