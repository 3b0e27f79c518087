//! Catalogue C to E: messages, one at a time, each over a connection of its own. What is wrong
//! is counted by its reason, and what is not is ordered.

use orden::wire::native::{Hello, Start};
use orden::wire::{LogId, Name};

use crate::hostile::Witness;
use orden_kit::programs::broker::Broker;
use orden_kit::zmtp::Speaker;

/// What is counted for a message that is taken.
const TAKEN: &str = "";

/// A case: what it is, what it is counted as, and its frames.
type Case = (&'static str, &'static str, Vec<Vec<u8>>);

fn number(bytes: &[(usize, u8)], flag: u8, payload: &[u8]) -> Vec<Vec<u8>> {
    let mut frame = vec![0; 33];
    for (at, byte) in bytes {
        frame[*at] = *byte;
    }
    frame[32] = flag;
    frame.extend_from_slice(payload);
    vec![frame]
}

fn minus(flag: u8) -> Vec<Vec<u8>> {
    vec![[&[0xFF; 32][..], &[flag]].concat()]
}

fn one(frame: &[u8]) -> Vec<Vec<u8>> {
    vec![frame.to_vec()]
}

fn native(kind: u8, rest: &[u8]) -> Vec<Vec<u8>> {
    vec![[&[b'O', 1, kind, 0][..], rest].concat()]
}

/// A hello with a name that [`Name`] would not take.
fn hello(name: &[u8]) -> Vec<Vec<u8>> {
    let good = Hello {
        name: Name::new(b"x").unwrap(),
        start: Start::Now,
        log_id: LogId(0),
        receive: true,
        attempt: None,
        observe: false,
    };
    let mut frame = good.encode();
    frame.truncate(24);
    frame[7] = u8::try_from(name.len()).unwrap();
    frame.extend_from_slice(name);
    vec![frame]
}

fn framing() -> Vec<Case> {
    let text = vec![0; 33];
    let empty = Vec::new();
    vec![
        (
            "30: one delimiter",
            TAKEN,
            vec![empty.clone(), text.clone()],
        ),
        (
            "30: two delimiters",
            "too_many_frames",
            vec![empty.clone(), empty.clone(), text.clone()],
        ),
        ("31: an empty message", TAKEN, vec![empty.clone()]),
        (
            "32: a frame too many",
            "too_many_frames",
            vec![text.clone(), text.clone()],
        ),
        ("33: 700 frames", "too_many_frames", vec![text; 700]),
        (
            "33: 1,000 empty frames",
            "too_many_frames",
            vec![empty; 1_000],
        ),
        (
            "35: a kind that there is not",
            "unexpected_kind",
            native(0x7F, b""),
        ),
        (
            "35: a version to come",
            "unsupported_version",
            one(b"O\x02\x01\0"),
        ),
        (
            "35: a version that there is not",
            "unsupported_version",
            one(b"O\0\x01\0"),
        ),
        ("35: half a prefix", "truncated", one(b"O\x01\x01")),
        (
            "36: a publish before hello",
            "no_session",
            one(b"O\x01\x02\0\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\x01x"),
        ),
        ("36: an ACK before hello", "no_session", native(3, &[0; 12])),
        ("36: a ping before hello", "no_session", native(5, b"")),
        (
            "38: messages, which only the broker sends",
            "unexpected_kind",
            native(0x10, &[0; 44]),
        ),
        ("38: a welcome", "unexpected_kind", native(0x11, &[0; 44])),
        (
            "38: a confirmation",
            "unexpected_kind",
            native(0x12, &[0; 4]),
        ),
        ("38: a refusal", "unexpected_kind", native(0x13, &[0; 12])),
        (
            "32: a count of 2^32 - 1",
            "field_out_of_range",
            native(2, &[0xFF; 12]),
        ),
    ]
}

fn numbers() -> Vec<Case> {
    vec![
        ("39: one byte", "truncated", one(&[0])),
        ("39: 31 bytes", "truncated", one(&[0; 31])),
        ("39: 32 bytes", "truncated", one(&[0; 32])),
        ("39: 33 bytes", TAKEN, one(&[0; 33])),
        ("41: a text of -1", TAKEN, minus(0)),
        ("41: an ACK of -1", TAKEN, minus(1)),
        (
            "42: an ACK of 2^63 - 1",
            "ack_ahead",
            vec![[&[0; 24][..], &[0x7F], &[0xFF; 7], &[1]].concat()],
        ),
        (
            "42: an ACK of 2^63",
            "ack_ahead",
            number(&[(24, 0x80)], 1, b""),
        ),
        (
            "42: an ACK of 2^64 - 1",
            "ack_ahead",
            vec![[&[0; 24][..], &[0xFF; 8], &[1]].concat()],
        ),
        (
            "43: an ACK of 2^64",
            "order_out_of_range",
            number(&[(23, 1)], 1, b""),
        ),
        (
            "43: an ACK of 2^64 + 5",
            "order_out_of_range",
            number(&[(23, 1), (31, 5)], 1, b""),
        ),
        (
            "43: a text of 2^128",
            "order_out_of_range",
            number(&[(15, 1)], 0, b"x"),
        ),
        (
            "43: an ACK of 2^248",
            "order_out_of_range",
            number(&[(0, 0), (1, 1)], 1, b""),
        ),
        (
            "44: the topmost bit: no binary message",
            "not_json",
            number(&[(0, 0x80)], 1, b""),
        ),
        (
            "44: an ACK of -2",
            "order_out_of_range",
            vec![[&[0xFF; 31][..], &[0xFE, 1]].concat()],
        ),
        (
            "45: an ACK of what is to come",
            "ack_ahead",
            number(&[(29, 1)], 1, b""),
        ),
        (
            "50: an ACK with a text",
            "trailing_bytes",
            number(&[], 1, b"text"),
        ),
        ("50: a flag of 2", "bad_flag", number(&[], 2, b"")),
        ("50: a flag of 0x80", "bad_flag", number(&[], 0x80, b"")),
        ("50: a flag of 0xFF", "bad_flag", number(&[], 0xFF, b"")),
    ]
}

fn texts() -> Vec<Case> {
    let text = |bytes: &[u8]| number(&[], 0, bytes);
    vec![
        (
            "53: no UTF-8",
            TAKEN,
            text(b"\xC3\x28 \xF0\x28\x8C\xBC \xED\xA0\x80 \xC0\xAF \xE2\x82"),
        ),
        (
            "54: zero, BOM, U+202E",
            TAKEN,
            text("\0\u{FEFF}\u{202E}🙂 e\u{301} é".as_bytes()),
        ),
        (
            "55: escapes and a forged name",
            TAKEN,
            text(b"eve: x\n\x1b[2Jbob: hi"),
        ),
        ("56: nothing", TAKEN, text(b"")),
        ("56: the longest", TAKEN, text(&vec![b'x'; 4096])),
        ("56: a byte more", "too_large", text(&vec![b'x'; 4097])),
        ("58: an empty name", "bad_name", hello(b"")),
        ("58: the broker's name", "bad_name", hello(b"Server")),
        (
            "58: a name that begins with zero",
            "bad_name",
            hello(b"\0x"),
        ),
        ("58: a path for a name", TAKEN, hello(b"../../etc/passwd")),
        (
            "70: what begins a batch in the log",
            TAKEN,
            text(b"O\x01\x10\0O\x01\x10\0"),
        ),
    ]
}

fn objects() -> Vec<Case> {
    let json = |text: &str| one(text.as_bytes());
    let deep = format!("{{\"a\": {}", "[".repeat(60_000));
    vec![
        ("JSON: no object", "not_json", json("[1]")),
        (
            "JSON: half an object",
            "not_json",
            json("{\"timeStamp\": 1"),
        ),
        (
            "JSON: no UTF-8",
            "not_json",
            one(b"{\"message\": \"\xC3\x28\"}"),
        ),
        ("JSON: 60,000 brackets", "not_json", one(deep.as_bytes())),
        ("JSON: no keys", "bad_json_fields", json("{}")),
        (
            "JSON: a fraction",
            "bad_json_fields",
            json(r#"{"timeStamp": 1.5, "isACK": false, "message": ""}"#),
        ),
        (
            "JSON: a key twice",
            "bad_json_fields",
            json(r#"{"timeStamp": 1, "timeStamp": 2, "isACK": false, "message": ""}"#),
        ),
        (
            "JSON: an ACK beyond 64 bits",
            "order_out_of_range",
            json(r#"{"timeStamp": 18446744073709551621, "isACK": true}"#),
        ),
        (
            "JSON: a message",
            TAKEN,
            json(r#"{"timeStamp": -1, "isACK": false, "message": "hola"}"#),
        ),
    ]
}

#[test]
fn c_framing() {
    try_all(framing());
}

#[test]
fn d_order_numbers() {
    try_all(numbers());
}

#[test]
fn e_texts_and_names() {
    try_all(texts());
}

#[test]
fn e_objects_of_json() {
    try_all(objects());
}

fn try_all(cases: Vec<Case>) {
    let mut broker = Broker::in_memory(&["--max-message-bytes", "4096"]);
    let address = broker.address().to_owned();
    let mut witness = Witness::new(&mut broker);
    // They stay, so that nobody's going is counted.
    let mut speakers = Vec::new();
    for (at, (name, counted, frames)) in cases.into_iter().enumerate() {
        let before = witness.broker.status();
        let mut speaker = Speaker::join(&address, format!("peer {at}").as_bytes());
        let frames: Vec<_> = frames.iter().map(Vec::as_slice).collect();
        speaker.message(&frames);
        if counted == TAKEN {
            // The witness hears that somebody joined, or what he said.
            witness.hears_of_a_stranger(name);
            let after = witness.broker.status();
            assert_eq!(after.all_refused(), before.all_refused(), "{name}: refused");
        } else {
            witness.await_one_more(counted, before.refused(counted));
        }
        witness.is_served(name);
        speakers.push(speaker);
    }
}

impl Witness<'_> {
    fn hears_of_a_stranger(&mut self, after: &str) {
        let (number, _) = self.peer.hear();
        assert_eq!(number, self.next, "{after}");
        self.next += 1;
    }
}
