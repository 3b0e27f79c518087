//! Bad input on the control socket: each costs its peer the connection or an answer, and after each
//! the order is served and the next peer answered.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;

use orden_kit::PATIENCE;
use orden_kit::programs::broker::Broker;
use serde_json::Value;

use super::status;
use crate::hostile::Witness;

fn connect(broker: &Broker) -> UnixStream {
    let stream = UnixStream::connect(broker.data().join("control")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// What is answered to these bytes, up to the end of a line.
fn answer(broker: &Broker, bytes: &[u8]) -> Value {
    let mut stream = connect(broker);
    // The broker may have hung up before it was all said.
    stream.write_all(bytes).ok();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
}

#[test]
fn what_is_no_request_is_answered_and_nothing_is_done() {
    let mut broker = Broker::start(&[]);
    let mut witness = Witness::new(&mut broker);
    let deep = [b"[".repeat(4000), b"\n".to_vec()].concat();
    let cases: [(&[u8], &str); 10] = [
        (b"\n", "malformed"),
        (b"\xff\xfe\n", "malformed"),
        (b"GET / HTTP/1.1\n", "malformed"),
        (b"{\"command\":\"shutdown\"}\n", "malformed"),
        (
            b"{\"command\":\"status\",\"command\":\"drain\"}\n",
            "malformed",
        ),
        (b"{\"command\":\"drain\",\"patience\":1e99}\n", "malformed"),
        (b"{\"command\":\"kick\",\"name\":\"\"}\n", "bad_name"),
        (b"{\"command\":\"end\",\"name\":\"\\u0000\"}\n", "bad_name"),
        (
            b"{\"command\":\"members\",\"limit\":18446744073709551615}\n",
            "bad_value",
        ),
        (&deep, "malformed"),
    ];
    for (bytes, reason) in cases {
        let said = answer(witness.broker(), bytes);
        assert_eq!(said["error"], reason, "{said}");
        witness.is_served(reason);
    }
    let endless = vec![b'x'; 1 << 20];
    assert_eq!(answer(witness.broker(), &endless)["error"], "too_long");
    assert_eq!(status(witness.broker())["members"]["present"], 1);
    witness.is_served("a line without an end");
}

#[test]
fn those_who_say_nothing_or_read_nothing_lose_their_connections() {
    let mut broker = Broker::start(&[]);
    let mut witness = Witness::new(&mut broker);
    let mut silent: Vec<_> = (0..16).map(|_| connect(witness.broker())).collect();
    for stream in &mut silent[..8] {
        stream.write_all(b"{\"command\":").unwrap();
    }
    // They take all places there are, for a while.
    assert_eq!(
        answer(witness.broker(), b"")["error"],
        "too_many_connections"
    );
    witness.is_served("silent peers");
    for mut stream in silent {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        assert!(rest.is_empty(), "{rest:?}");
    }
    assert_eq!(status(witness.broker())["members"]["present"], 1);
    // One that asks and asks, and never reads.
    let mut deaf = connect(witness.broker());
    let asks = b"{\"command\":\"status\"}\n".repeat(1000);
    while deaf.write_all(&asks).is_ok() {}
    assert_eq!(status(witness.broker())["members"]["present"], 1);
    // One that hangs up in the middle of a word, and one that does not wait for its answer.
    drop(connect(witness.broker()).write_all(b"{\"comm"));
    drop(connect(witness.broker()).write_all(b"{\"command\":\"status\"}\n"));
    witness.is_served("peers that hang up");
    assert_eq!(status(witness.broker())["members"]["present"], 1);
}
