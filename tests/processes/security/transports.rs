//! What is enforced holds for every way to connect: TCP, Unix sockets, plain TCP.

use tempfile::TempDir;

use crate::security::stage::{Keys, Peer};
use orden_kit::plain::Plain;
use orden_kit::poll;
use orden_kit::programs::broker::Broker;

/// A broker with keys, on a socket file.
fn local(keys: &Keys, flags: &[&str]) -> (Broker, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = format!("ipc://{}", directory.path().join("broker").display());
    let flags = [&["--address", &endpoint][..], flags].concat();
    (keys.broker(&flags), directory)
}

/// Waits for the end of a connection, as libzmq tells of it.
fn is_disconnected(monitor: &zmq::Socket) {
    let event = monitor.recv_multipart(0).expect("the connection is ended");
    assert_eq!(event.len(), 2);
}

/// Hears of the end of this peer's connection.
fn watch(peer: &Peer, context: &zmq::Context) -> zmq::Socket {
    let events = zmq::SocketEvent::DISCONNECTED.to_raw();
    peer.socket
        .monitor("inproc://end", i32::from(events))
        .unwrap();
    let monitor = context.socket(zmq::PAIR).unwrap();
    monitor.set_rcvtimeo(30_000).unwrap();
    monitor.connect("inproc://end").unwrap();
    monitor
}

#[test]
fn s4_a_removed_key_is_disconnected_over_a_unix_socket_too() {
    let keys = Keys::new();
    keys.admit("ana", &["ana"]);
    keys.admit("bea", &["bea"]);
    let (broker, _directory) = local(&keys, &[]);
    let context = zmq::Context::new();
    let bea = Peer::connect_in(&context, &broker, "bea", Some((&keys, "bea")));
    let end = watch(&bea, &context);
    bea.say("bea: hola");
    bea.hear_until("bea: hola");
    keys.remove("bea");
    is_disconnected(&end);
}

#[test]
fn a_silent_connection_is_cut_over_a_unix_socket_too() {
    let keys = Keys::new();
    keys.admit("ana", &["ana"]);
    let (broker, _directory) = local(&keys, &["--handshake-timeout", "1"]);
    let context = zmq::Context::new();
    let ana = Peer::connect_in(&context, &broker, "ana", Some((&keys, "ana")));
    let end = watch(&ana, &context);
    is_disconnected(&end);
    broker.await_refused("silent_connection", 1);
    broker.program().complaint(0, "turned away process ");
}

#[test]
fn too_many_connections_a_second_are_cut_over_plain_tcp_too() {
    let flags = ["--tcp-address", ":0", "--max-connections-per-second", "20"];
    let broker = Broker::in_memory(&flags);
    let mut peers: Vec<_> = (0..200)
        .map(|_| Plain::connect(broker.tcp_address()))
        .collect();
    broker.await_refused("too_many_connections", 100);
    broker.program().complaint(0, "turned away 127.0.0.1:");
    // Those that came first are served.
    peers[0].say("hola");
    loop {
        let heard = peers[0].next(None);
        if heard.text().ends_with("hola") {
            break;
        }
    }
    // With the next second the count begins anew.
    let mut later = Vec::new();
    poll(
        || {
            later.push(Plain::connect(broker.tcp_address()));
            let members = broker.status().members;
            let joined = later.iter().any(|peer| members.contains_key(&peer.name()));
            joined.then_some(())
        },
        "a place for one more",
    );
}

#[test]
fn who_is_turned_away_is_named_with_the_reason() {
    let keys = Keys::new();
    keys.admit("ana", &["ana"]);
    keys.make("eve", &["eve"]);
    let broker = keys.broker(&[]);
    let said = |words: &[&str]| {
        let line = broker.program().complaint(0, words[0]).pop().unwrap();
        for word in words {
            assert!(line.contains(word), "no {word:?} in {line:?}");
        }
    };
    let _unlisted = Peer::join(&broker, "eve", Some((&keys, "eve")));
    let public = std::fs::read_to_string(keys.path("eve.key")).unwrap();
    let public = public.split("public-key = \"").nth(1).unwrap();
    let key = public.split('"').next().unwrap();
    said(&[
        "key is not authorized",
        "turned away 127.0.0.1 with key",
        key,
    ]);
    // A peer without a key. Either side may be the first to see that they do not fit.
    let _open = Peer::join(&broker, "ana", None);
    said(&["its handshake", "turned away "]);
}
