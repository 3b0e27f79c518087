//! Signals: what was accepted is finished, and nothing more is taken in.

use orden::wire::Dialect;
use rustix::process::Signal;

use orden_kit::dealer::{Dealer, Heard};
use orden_kit::plain::{Plain, text_of};
use orden_kit::programs::broker::Broker;
use orden_kit::zmtp::Speaker;

/// Below the window, so that the broker need not wait for an ACK to send it all.
const MESSAGES: usize = 900;
/// What the system keeps for a connection at either end is 4 MiB at most.
const MORE_THAN_BUFFERS: usize = 16 << 20;

#[test]
fn what_was_accepted_is_delivered_and_kept() {
    for signal in [Signal::TERM, Signal::INT] {
        let broker = Broker::start(&[]);
        let mut eva = Dealer::member(broker.endpoint(), "eva");
        let ana = Dealer::connect(broker.endpoint(), "ana");
        for number in 0..MESSAGES {
            ana.say(&number.to_string());
        }
        // The first is there; of the others, some are still on their way.
        let first = eva.next_unacknowledged();
        assert_eq!(first.text(), "Server: ana has joined the net");
        broker.program().signal(signal);
        broker
            .program()
            .complaint(0, "stopping: finishing what was accepted");
        let (end, stopped) = broker.end();
        assert_eq!(end.code(), Some(0), "{}", end.complaint);

        let broker = stopped.start();
        let mut all = Dealer::connect(broker.endpoint(), "reader");
        // From an unknown name: everything after it.
        all.ack(first.order);
        let kept: Vec<Heard> = all.next_until("Server: reader has joined the net");
        let kept = &kept[..kept.len() - 1];
        assert!(!kept.is_empty(), "nothing was accepted");
        // It was sent before the broker ended, or was taken in by nobody.
        for expected in kept {
            assert_eq!(&eva.next_unacknowledged(), expected);
        }
    }
}

#[test]
fn members_of_all_kinds_do_not_hold_it_up() {
    let broker = Broker::in_memory(&["--tcp-address", ":0"]);
    let mut plain = Plain::connect(broker.tcp_address());
    broker.program().complaint(0, "has joined");
    let mut silent = Dealer::member(broker.endpoint(), "silent");
    let mut json = Dealer::connect(broker.endpoint(), "json");
    json.speak(Dialect::Json);
    json.ack_nothing();
    json.say("hola");
    while silent.next_unacknowledged().text() != "Server: json has joined the net" {}
    let (end, _) = broker.stop();
    assert_eq!(end.code(), Some(0), "{}", end.complaint);
    while !plain.read().is_empty() {}
}

#[test]
fn a_second_signal_does_not_wait() {
    let most = MORE_THAN_BUFFERS.to_string();
    let broker = Broker::in_memory(&["--max-message-bytes", &most]);
    // It does not read: what is sent to it keeps the first signal waiting, for a second.
    let mut deaf = Speaker::join(broker.address(), b"deaf");
    let text = "x".repeat(MORE_THAN_BUFFERS);
    assert!(deaf.message(&[&text_of(&text)]));
    broker.await_status("what was said", |status| status.next == 2);
    // Both are there when it looks.
    broker.program().freeze();
    broker.program().signal(Signal::TERM);
    broker.program().signal(Signal::INT);
    broker.program().signal(Signal::CONT);
    let (end, _) = broker.end();
    assert_eq!(end.code(), Some(3), "{}", end.complaint);
}
