//! ACKs: what they stand for, and what happens without them.

use orden::wire::Dialect;

use orden_kit::dealer::{Dealer, Heard};
use orden_kit::plain::Plain;
use orden_kit::programs::broker::Broker;

/// Of a fixed dialect, in messages.
const WINDOW: u64 = 1000;

/// The dialects of a DEALER in which a test is told.
const DIALECTS: [Dialect; 2] = [Dialect::Binary, Dialect::Json];

/// A member that speaks a dialect and misses nothing from here on.
fn member(broker: &Broker, name: &str, dialect: Dialect) -> Dealer {
    let mut member = Dealer::connect(broker.endpoint(), name);
    member.speak(dialect);
    member.say("here");
    assert_eq!(member.next().text(), format!("{name}: here"));
    member
}

/// Everybody else gets more than a window; gives it as one of them has seen it.
fn others_go_on(broker: &Broker) -> Vec<Heard> {
    let mut ana = Dealer::member(broker.endpoint(), "ana");
    let mut eva = Dealer::member(broker.endpoint(), "eva");
    for number in 0..3 * WINDOW {
        ana.say(&number.to_string());
        ana.next();
    }
    eva.next_until(&format!("ana: {}", 3 * WINDOW - 1))
}

/// The same messages under the same numbers, whatever the dialect.
fn ends_with(missed: &[Heard], seen: &[Heard]) -> bool {
    let plain = |heard: &[Heard]| -> Vec<_> {
        let pairs = heard
            .iter()
            .map(|heard| (heard.order, heard.payload.clone()));
        pairs.collect()
    };
    plain(missed).ends_with(&plain(seen))
}

#[test]
fn whoever_stops_acknowledging_is_asked_again_and_delays_nobody() {
    for dialect in DIALECTS {
        let broker = Broker::in_memory(&[]);
        let mut idle = member(&broker, "idle", dialect);
        let first = idle.expects();
        let seen = others_go_on(&broker);

        // It was sent what its window holds, in order, and then the first again.
        let mut heard = Vec::new();
        let again = loop {
            let next = idle.hear();
            if next.order == first && !heard.is_empty() {
                break next;
            }
            assert_eq!(next.order, first + heard.len() as u64);
            heard.push(next);
        };
        assert_eq!(again, heard[0], "the same once more, to the byte");
        let count = heard.len() as u64;
        assert!(count <= WINDOW, "{count} are more than a window");

        // As soon as it acknowledges again, it gets what it missed.
        let mut missed = heard;
        idle.ack(first + count - 1);
        idle.expect_from(first + count);
        missed.extend(idle.next_until(seen[seen.len() - 1].text()));
        assert!(ends_with(&missed, &seen));
        let orders = missed.iter().map(|heard| heard.order);
        assert!(orders.eq(first..first + missed.len() as u64));
    }
}

#[test]
fn the_same_over_plain_tcp_where_one_message_is_the_window() {
    let broker = Broker::in_memory(&["--tcp-address", ":0"]);
    let mut idle = Plain::connect(broker.tcp_address());
    let seen = others_go_on(&broker);
    let first = idle.hear();
    for _ in 0..2 {
        assert_eq!(idle.hear(), first, "the same once more, and nothing else");
    }
    let mut missed = vec![first];
    idle.ack(missed[0].order);
    while missed[missed.len() - 1].payload != seen[seen.len() - 1].payload {
        let next = idle.next(Some(missed[missed.len() - 1].order));
        missed.push(next);
    }
    assert!(ends_with(&missed, &seen));
}

#[test]
fn one_ack_stands_for_everything_before_it() {
    let broker = Broker::in_memory(&[]);
    let mut ana = Dealer::member(broker.endpoint(), "ana");
    let eva = Dealer::member(broker.endpoint(), "eva");
    for number in 0..5 {
        eva.say(&number.to_string());
    }
    let mut last = ana.next_unacknowledged();
    while last.payload != b"eva: 4" {
        last = ana.next_unacknowledged();
    }
    let floor = |expected| {
        move |status: &orden_kit::programs::status::Status| status.members["ana"].floor == expected
    };
    ana.ack(last.order - 2);
    broker.await_status("the ACK", floor(last.order - 1));
    ana.ack(last.order);
    broker.await_status("the ACK", floor(last.order + 1));
    // One that is lower changes nothing, and one of what was not sent is refused.
    ana.ack(last.order - 2);
    ana.ack(last.order + 1);
    let status = broker.await_status("a refusal", |status| status.refused("ack_ahead") == 1);
    assert_eq!(status.members["ana"].floor, last.order + 1);
}

#[test]
fn a_return_continues_after_the_last_ack() {
    for dialect in DIALECTS {
        let broker = Broker::in_memory(&[]);
        let mut eva = Dealer::member(broker.endpoint(), "eva");
        let mut ana = member(&broker, "ana", dialect);
        eva.say("uno");
        assert_eq!(ana.next().text(), "eva: uno");
        let held = ana.expects();
        // Its next connection may be heard before the last word of this one.
        let await_ack = |up_to| {
            broker.await_status("the ACK", |status| status.members["ana"].floor == up_to);
        };
        await_ack(held);
        drop(ana);
        for text in ["dos", "tres"] {
            eva.say(text);
        }
        eva.next_until("eva: tres");

        // What it says on its return may be nothing, "I hold nothing", or how far it is.
        let mut ana = Dealer::connect(broker.endpoint(), "ana");
        ana.speak(dialect);
        ana.ack_nothing();
        let heard = ana.next();
        assert_eq!((heard.order, heard.text()), (held, "eva: dos"));
        await_ack(held + 1);
        drop(ana);
        let probes = |ana: &zmq::Socket| ana.set_probe_router(true);
        let mut ana = Dealer::connect_with(broker.endpoint(), "ana", probes);
        let heard = ana.next_unacknowledged();
        assert_eq!((heard.dialect, heard.text()), (dialect, "eva: tres"));
        drop(ana);
        let mut ana = Dealer::connect(broker.endpoint(), "ana");
        ana.speak(dialect);
        ana.ack(held + 1);
        eva.say("cuatro");
        assert_eq!(ana.next().text(), "eva: cuatro");
        // None of it was a join.
        eva.next_until("eva: cuatro");
        assert_eq!(broker.status().count("joined"), 2);
    }
}

#[test]
fn the_newest_connection_has_the_name() {
    let broker = Broker::in_memory(&[]);
    let mut eva = Dealer::member(broker.endpoint(), "eva");
    let _older = Dealer::member(broker.endpoint(), "ana");
    let mut newer = Dealer::join(broker.endpoint(), "ana");
    newer.say("soy yo");
    let heard = newer.next_until("ana: soy yo");
    assert_eq!(eva.next_until("ana: soy yo").last(), heard.last());
}
