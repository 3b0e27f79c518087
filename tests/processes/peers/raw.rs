//! The peer that is the original client over plain TCP.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use orden::wire::raw::{LIMIT, Splitter};
use orden::wire::{ClientMessage, binary};

use crate::peers::in_binary;
use crate::peers::stage::{ack, start, text};

/// The broker's end of a connection.
struct Connection {
    stream: TcpStream,
    splitter: Splitter,
}

impl Connection {
    fn accept(listener: &TcpListener) -> Self {
        Self {
            stream: listener.accept().expect("the peer connects").0,
            splitter: Splitter::new(),
        }
    }

    fn expect(&mut self, expected: &ClientMessage<'_>) {
        loop {
            if let Some(frame) = self.splitter.next_frame() {
                let frame = frame.expect("the peer sends headers");
                assert_eq!(binary::decode(frame).as_ref(), Ok(expected));
                return;
            }
            let mut read = [0; LIMIT];
            let length = self.stream.read(&mut read).expect("the peer speaks");
            assert_ne!(length, 0, "the peer has left before {expected:?}");
            self.splitter.feed(&read[..length]);
        }
    }

    fn say(&mut self, order: u64, text: &str) {
        let frame = in_binary(order, text);
        self.stream.write_all(&frame).expect("the peer is there");
        self.expect(&ack(order));
    }

    fn has_ended(&mut self) -> bool {
        self.stream.read(&mut [0]).expect("no error") == 0
    }
}

#[test]
fn each_text_waits_for_the_one_before() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let peer = start("tcp_peer.py", &address, "--publish 2 --expect 3");
    let mut connection = Connection::accept(&listener);
    connection.expect(&text("ana: message 1"));
    connection.say(5, "eva: hola");
    connection.say(6, "ana: message 1");
    connection.expect(&text("ana: message 2"));
    connection.say(6, "ana: message 1");
    connection.say(7, "ana: message 2");
    assert!(connection.has_ended());
    assert_eq!(
        peer.finish(),
        ["5\teva: hola", "6\tana: message 1", "7\tana: message 2"]
    );
}

#[test]
fn a_person_types() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut peer = start("tcp_peer.py", &address, "");
    let mut connection = Connection::accept(&listener);
    for line in ["hola", "¿qué tal?"] {
        peer.tell(line);
        connection.expect(&text(&format!("ana: {line}")));
    }
    connection.say(0, "Server: eva has joined the net");
    assert_eq!(peer.line(), "0\tServer: eva has joined the net");
    assert_eq!(peer.finish(), [""; 0]);
    assert!(connection.has_ended());
}
