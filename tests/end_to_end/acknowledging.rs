//! ACKs: what they stand for, and what happens without them.

use crate::support::broker::Broker;
use crate::support::dealer::Dealer;

/// Of a fixed dialect, in messages.
const WINDOW: u64 = 1000;

#[test]
fn whoever_stops_acknowledging_is_asked_again_and_delays_nobody() {
    let broker = Broker::in_memory(&[]);
    let mut idle = Dealer::member(broker.endpoint(), "idle");
    let first = idle.expects();
    let mut ana = Dealer::member(broker.endpoint(), "ana");
    let mut eva = Dealer::member(broker.endpoint(), "eva");

    // More than the window, and everybody else gets it all.
    for number in 0..3 * WINDOW {
        ana.say(&number.to_string());
        ana.next();
    }
    let last = format!("ana: {}", 3 * WINDOW - 1);
    let seen = eva.next_until(&last);

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
    assert!(
        heard.len() as u64 <= WINDOW,
        "{} are more than a window",
        heard.len()
    );

    // As soon as it acknowledges again, it gets what it missed.
    let mut missed = heard;
    idle.ack(first + missed.len() as u64 - 1);
    idle.expect_from(first + missed.len() as u64);
    missed.extend(idle.next_until(&last));
    assert!(missed.ends_with(&seen));
    let orders: Vec<_> = missed.iter().map(|heard| heard.order).collect();
    assert_eq!(
        orders,
        (first..first + orders.len() as u64).collect::<Vec<_>>()
    );
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
        move |status: &crate::support::status::Status| status.members["ana"].floor == expected
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
    let broker = Broker::in_memory(&[]);
    let mut eva = Dealer::member(broker.endpoint(), "eva");
    let mut ana = Dealer::member(broker.endpoint(), "ana");
    eva.say("uno");
    assert_eq!(ana.next().text(), "eva: uno");
    let held = ana.expects();
    drop(ana);
    for text in ["dos", "tres"] {
        eva.say(text);
    }
    eva.next_until("eva: tres");

    // What it says on its return may be nothing, "I hold nothing", or how far it is.
    let mut ana = Dealer::join(broker.endpoint(), "ana");
    let heard = ana.next();
    assert_eq!((heard.order, heard.text()), (held, "eva: dos"));
    drop(ana);
    let mut ana = Dealer::connect_with(broker.endpoint(), "ana", |ana| ana.set_probe_router(true));
    assert_eq!(ana.next_unacknowledged().text(), "eva: tres");
    drop(ana);
    let mut ana = Dealer::connect(broker.endpoint(), "ana");
    ana.ack(held + 1);
    eva.say("cuatro");
    assert_eq!(ana.next().text(), "eva: cuatro");
    // None of it was a join.
    eva.next_until("eva: cuatro");
    assert_eq!(broker.status().count("joined"), 2);
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
