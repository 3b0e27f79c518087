//! Catalogue A for a broker with keys: no downgrade, no replay, nothing half encrypted.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread::spawn;
use std::time::Duration;

use crate::security::stage::{Keys, Peer};
use orden_kit::zmtp::{COMMAND, Speaker, frame, greeting, ready};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn s9_no_handshake_but_curve_gets_anywhere() {
    let keys = Keys::new();
    keys.admit("ana", &["ana"]);
    let mut broker = keys.broker(&["--handshake-timeout", "1"]);
    let address = broker.address().to_owned();
    let ana = Peer::join(&broker, "ana", Some((&keys, "ana")));
    let curve = |rest: &[u8]| [&greeting(3, 1, "CURVE", false), rest].concat();
    let dealer = ready(&[(b"Socket-Type", b"DEALER"), (b"Identity", b"ana")]);
    let hello = |version: u8, length: usize| {
        let mut body = b"\x05HELLO".to_vec();
        body.extend([version, 0]);
        body.resize(length, 7);
        curve(&frame(COMMAND, &body))
    };
    let command = |name: &[u8], length: usize| {
        let mut body = name.to_vec();
        body.resize(length, 7);
        curve(&frame(COMMAND, &body))
    };
    let cases = [
        ("5: ZMTP 1.0", b"\x01\0\x04\0text".to_vec()),
        (
            "6: ZMTP 2.0",
            [&[0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 1, 5][..], &[0, 0]].concat(),
        ),
        (
            "7: NULL",
            [greeting(3, 1, "NULL", false), dealer.clone()].concat(),
        ),
        (
            "7: PLAIN",
            [greeting(3, 1, "PLAIN", false), dealer.clone()].concat(),
        ),
        (
            "7: GSSAPI",
            [greeting(3, 1, "GSSAPI", false), dealer.clone()].concat(),
        ),
        (
            "9: two servers",
            [greeting(3, 1, "CURVE", true), dealer.clone()].concat(),
        ),
        ("9: READY without a handshake", curve(&dealer)),
        ("10: a HELLO for another key", hello(1, 200)),
        ("10: a HELLO of version 9", hello(9, 200)),
        ("10: a HELLO of 199 bytes", hello(1, 199)),
        ("10: a HELLO of 201 bytes", hello(1, 201)),
        ("10: a HELLO of nothing", command(b"\x05HELLO", 6)),
        (
            "12: an INITIATE before a HELLO",
            command(b"\x08INITIATE", 257),
        ),
        (
            "12: an INITIATE of 64 KiB",
            command(b"\x08INITIATE", 65_536),
        ),
        (
            "14: a MESSAGE before a handshake",
            command(b"\x07MESSAGE", 100),
        ),
    ];
    for (name, bytes) in cases {
        let mut speaker = Speaker::connect(&address);
        speaker.say(&bytes);
        assert!(speaker.is_closed_within(SOON), "{name}: still open");
        assert!(broker.is_alive(), "{name}");
        ana.say(&format!("ana: {name}"));
        ana.hear_until(&format!("ana: {name}"));
    }
}

#[test]
fn s8_a_recorded_session_is_worth_nothing() {
    let keys = Keys::new();
    keys.admit("ana", &["ana"]);
    keys.admit("bea", &["bea"]);
    let broker = keys.broker(&["--handshake-timeout", "1"]);
    let bea = Peer::join(&broker, "bea", Some((&keys, "bea")));
    bea.say("bea: hola");
    bea.hear_until("bea: hola");
    let recorded = record(broker.address(), |endpoint| {
        let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
        socket.set_identity(b"ana").unwrap();
        keys.give(&socket, "ana");
        socket.set_rcvtimeo(30_000).unwrap();
        socket.connect(endpoint).unwrap();
        let ana = Peer { socket };
        ana.say("ana: pay eve 100");
        ana.hear_until("ana: pay eve 100");
    });
    bea.hear_until("ana: pay eve 100");
    let mut replay = Speaker::connect(broker.address());
    replay.say(&recorded);
    assert!(replay.is_closed_within(SOON));
    bea.say("bea: that was all");
    loop {
        let (_, heard) = bea.hear();
        assert_ne!(heard, "ana: pay eve 100");
        if heard == "bea: that was all" {
            return;
        }
    }
}

/// What a client says while it connects to an endpoint that leads to the broker.
fn record(to: &str, client: impl FnOnce(&str)) -> Vec<u8> {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("tcp://{}", proxy.local_addr().unwrap());
    let (all, record) = channel();
    let to = to.to_owned();
    spawn(move || {
        let (mut near, _) = proxy.accept().unwrap();
        let mut far = TcpStream::connect(to).unwrap();
        let (mut answers, mut back) = (far.try_clone().unwrap(), near.try_clone().unwrap());
        spawn(move || std::io::copy(&mut answers, &mut back));
        let mut bytes = [0; 4096];
        let mut said = Vec::new();
        while let Ok(count @ 1..) = near.read(&mut bytes) {
            said.extend_from_slice(&bytes[..count]);
            far.write_all(&bytes[..count]).unwrap();
        }
        all.send(said).unwrap();
    });
    client(&endpoint);
    record.recv().unwrap()
}
