//! The Python peers, each alone with a broker that a test plays: do they do what they are told?

mod native;
mod raw;
mod stage;

use orden::wire::rendering::Parts;
use orden::wire::{Acked, ClientMessage, OrderNumber, binary, json};
use stage::{Broker, ack, start, text};

fn in_binary(order: u64, text: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    let parts: Parts = [text.as_bytes(), b"", b""];
    binary::encode_message(OrderNumber(order), parts, &mut frame);
    frame
}

fn in_json(order: u64, text: &str) -> Vec<u8> {
    let mut frame = Vec::new();
    let parts: Parts = [text.as_bytes(), b"", b""];
    let _ = json::encode_message(OrderNumber(order), parts, &mut frame);
    frame
}

#[test]
fn fixed_peers_take_the_order_as_it_is() {
    let encoders = [
        ("binary_peer.py", in_binary as fn(u64, &str) -> _),
        ("json_peer.py", in_json),
    ];
    for (file, encode) in encoders {
        let broker = Broker::bind();
        let script = "--publish 2 --text-prefix olá --hold --expect 3";
        let mut peer = start(file, &broker.address, script);
        let say = |order, text: &str, acked| {
            broker.say(b"ana", &encode(order, text));
            broker.expect(&ack(acked));
        };
        broker.expect(&ClientMessage::Ack(Acked::Nothing));
        say(7, "Server: eva has joined the net", 7);
        peer.tell("go");
        broker.expect(&text("ana: olá 1"));
        broker.expect(&text("ana: olá 2"));
        say(8, "ana: olá 1", 8);
        // Too early, and then once more: it says again what it has, and waits.
        say(10, "eva: hola", 8);
        say(8, "ana: olá 1", 8);
        say(9, "ana: olá 2", 9);
        say(10, "eva: hola", 10);
        let notice = "7\tServer: eva has joined the net";
        assert_eq!(
            peer.finish(),
            [notice, "8\tana: olá 1", "9\tana: olá 2", "10\teva: hola"]
        );
    }
}

#[test]
fn what_a_fixed_peer_says_first() {
    let first = |script: &str| {
        let broker = Broker::bind();
        let _peer = start("binary_peer.py", &broker.address, script);
        let (id, frame) = broker.hear();
        assert_eq!(id, b"ana");
        frame
    };
    let ack_of_41 = binary::encode_ack(Acked::UpTo(OrderNumber(41)));
    assert_eq!(first("--expect 1 --join 41"), ack_of_41);
    assert_eq!(first("--expect 1 --join probe"), b"");
    let said = first("--expect 1 --join publish --publish 1");
    assert_eq!(binary::decode(&said), Ok(text("ana: message 1")));
}

#[test]
fn acks_come_as_often_as_told() {
    let broker = Broker::bind();
    let script = "--join publish --publish 1 --expect 5 --ack every:3";
    let peer = start("binary_peer.py", &broker.address, script);
    let (id, _) = broker.hear();
    for order in 0..5 {
        broker.say(&id, &in_binary(order, "eva: hola"));
    }
    broker.expect(&ack(2));
    // The last is said before it leaves.
    broker.expect(&ack(4));
    assert_eq!(peer.finish().len(), 5);
}

#[test]
fn a_deadline_ends_a_peer() {
    let broker = Broker::bind();
    for file in ["binary_peer.py", "json_peer.py", "native_peer.py"] {
        let end = start(file, &broker.address, "--expect 1 --deadline 0.1").end();
        assert!(
            !end.success() && end.complaint.contains("deadline"),
            "{}",
            end.complaint
        );
    }
}
