//! Routing ids, which anybody can claim: what is meant for one never gets to another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::spawn;

use orden::wire::{Acked, binary};

use crate::security::stage::{Keys, Peer};
use orden_kit::poll;
use orden_kit::programs::broker::Broker;

/// Two members with keys, of which one has heard the other.
fn ana_and_eve(flags: &[&str]) -> (Keys, Broker) {
    let keys = Keys::new();
    for name in ["ana", "bea", "eve"] {
        keys.admit(name, &[name]);
    }
    keys.admit("guest", &[]);
    let broker = keys.broker(flags);
    (keys, broker)
}

#[test]
fn s6_whoever_takes_a_routing_id_over_gets_nothing_of_its_owner() {
    let (keys, broker) = ana_and_eve(&["--handshake-timeout", "1"]);
    let bea = Peer::join(&broker, "bea", Some((&keys, "bea")));
    insist(&bea, "bea: hola");
    for round in 0..20 {
        let ana = Peer::join(&broker, "ana", Some((&keys, "ana")));
        let greeting = format!("ana: round {round}");
        insist(&ana, &greeting);
        bea.hear_until(&greeting);
        drop(ana);
        // As soon as ana is gone the id can be had; nothing that is ordered now is for eve.
        let eve = Peer::connect(&broker, "ana", Some((&keys, "eve")));
        for text in 0..50 {
            bea.say(&format!("bea: {round}.{text}"));
        }
        bea.hear_until(&format!("bea: {round}.49"));
        eve.send(&binary::encode_ack(Acked::Nothing));
        eve.hears_nothing();
    }
    let ana = Peer::join(&broker, "ana", Some((&keys, "ana")));
    // A session of its own, untouched: it goes on after the last ACK.
    let (_, first) = ana.hear();
    assert!(
        first.starts_with("ana: round 19") || first.starts_with("bea: 19."),
        "{first}"
    );
}

#[test]
fn s6_a_routing_id_cannot_be_kept_from_its_owner_by_silence() {
    let (keys, broker) = ana_and_eve(&["--handshake-timeout", "1"]);
    let eve = Peer::connect(&broker, "ana", Some((&keys, "eve")));
    broker.await_refused("silent_connection", 1);
    eve.socket.disconnect(broker.endpoint()).unwrap();
    let ana = Peer::join(&broker, "ana", Some((&keys, "ana")));
    insist(&ana, "ana: hola");
}

#[test]
fn whoever_is_let_in_is_heard_the_first_time_however_busy_the_machine_is() {
    let (keys, broker) = ana_and_eve(&[]);
    let busy = Arc::new(AtomicBool::new(true));
    let spinners: Vec<_> = (0..8)
        .map(|_| {
            let busy = Arc::clone(&busy);
            spawn(move || while busy.load(Ordering::Relaxed) {})
        })
        .collect();
    for guest in 0..50 {
        let name = format!("guest-{guest}");
        let guest = Peer::join(&broker, &name, Some((&keys, "guest")));
        guest.say(&name);
        guest.hear_until(&name);
    }
    busy.store(false, Ordering::Relaxed);
    for spinner in spinners {
        spinner.join().unwrap();
    }
}

/// Says a text until it comes back: a connection that comes before the routing id is free is not
/// read, and libzmq makes another once the broker has cut it.
fn insist(peer: &Peer, text: &str) {
    let heard = || {
        peer.say(text);
        (peer.socket.poll(zmq::POLLIN, 500).unwrap() > 0).then_some(())
    };
    poll(heard, text);
    peer.hear_until(text);
}

#[test]
fn s7_a_member_that_comes_back_goes_on_where_it_was() {
    let (keys, broker) = ana_and_eve(&[]);
    let bea = Peer::join(&broker, "bea", Some((&keys, "bea")));
    let ana = Peer::join(&broker, "ana", Some((&keys, "ana")));
    insist(&ana, "ana: hola");
    bea.say("bea: one");
    let one = ana.hear_until("bea: one");
    drop(ana);
    bea.say("bea: two");
    bea.hear_until("bea: two");
    broker.program().complaint(0, "ana is away");
    let ana = Peer::join(&broker, "ana", Some((&keys, "ana")));
    assert_eq!(ana.hear(), (one + 1, "bea: two".to_owned()));
}
