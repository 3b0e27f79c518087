//! The examples in hexadecimal: each is what the code writes.

use std::collections::BTreeMap;

use orden::wire::batch::{self, Header, Kind};
use orden::wire::native::{self, Attempt, Hello, PublishFrame, Start};
use orden::wire::record::{Flags, Record};
use orden::wire::reply::{self, Code, Refusal, Welcome};
use orden::wire::sessions::SequenceRun;
use orden::wire::{Acked, ClientSequence, Epoch, LogId, Name, OrderNumber, binary};

use crate::protocol_document::read;

const LOG_ID: LogId = LogId(0x0123_4567_89AB_CDEF);

/// The document's examples: captions, which follow the fence's word "hex", and bytes.
fn examples() -> BTreeMap<String, Vec<u8>> {
    let document = read("docs/protocol.md");
    let blocks = document.split("\n```hex ").skip(1);
    let example = |block: &str| {
        let (caption, rest) = block.split_once('\n').expect("a caption");
        let (code, _) = rest.split_once("```").expect("an end");
        let digits = code.lines().filter_map(|line| line.split(';').next());
        let bytes = digits.flat_map(str::split_whitespace);
        let bytes = bytes.map(|byte| u8::from_str_radix(byte, 16).expect(byte));
        (caption.to_owned(), bytes.collect())
    };
    blocks.map(example).collect()
}

fn batch_of_one() -> Vec<u8> {
    let mut bytes = vec![0; batch::HEADER_LEN];
    let record = Record {
        order: OrderNumber(20),
        client_sequence: ClientSequence(8),
        time: 1_700_000_000_000_000,
        flags: Flags::default(),
        sender: b"ana",
        payload: b"hola",
    };
    record.encode(&mut bytes);
    let header = Header {
        kind: Kind::Messages,
        length: 0,
        count: 1,
        first: OrderNumber(20),
        log_id: LOG_ID,
        epoch: Epoch(2),
        body_checksum: 0,
    };
    header.seal(&mut bytes);
    bytes
}

fn welcome() -> Vec<u8> {
    let welcome = Welcome {
        resumed: true,
        epoch: Epoch(2),
        log_id: LOG_ID,
        begin: OrderNumber(18),
        end: OrderNumber(20),
        last_sequence: ClientSequence(7),
        publish_window: 8192,
        largest_message: 4 << 20,
    };
    welcome.encode()
}

#[test]
fn examples_are_what_the_code_writes() {
    let mut message = Vec::new();
    binary::encode_message(OrderNumber(17), [b"ana", b": ", b"hola"], &mut message);
    let hello = Hello {
        name: Name::new(b"ana").unwrap(),
        start: Start::Resume(OrderNumber(18)),
        receive: true,
        observe: false,
        log_id: LOG_ID,
        attempt: None,
    };
    let attempt = Attempt {
        life: 0x1122_3344_5566_7788,
        number: 2,
    };
    let attempted = Hello {
        attempt: Some(attempt),
        ..hello.clone()
    };
    let mut publish = PublishFrame::new(ClientSequence(8));
    publish.push(b"hola");
    publish.push("¿qué?".as_bytes());
    let run = SequenceRun {
        sequence: ClientSequence(8),
        order: OrderNumber(20),
        count: 2,
    };
    let refusal = Refusal {
        code: Code::SequenceGap,
        detail: 8,
        text: "client sequences were skipped",
    };
    let nothing = binary::encode_ack(Acked::Nothing).to_vec();
    let log = "0x0123456789abcdef";
    let hello_caption = format!("hello of \"ana\", resume at 18, with deliveries, of log {log}");
    let written = [
        ("binary message 17, \"ana: hola\"", message),
        ("binary ACK of -1", nothing),
        (&hello_caption, hello.encode()),
        (
            "the same on the second connection of life 0x1122334455667788",
            attempted.encode(),
        ),
        (
            "welcome of epoch 2, begin 18, end 20, last client sequence 7",
            welcome(),
        ),
        (
            "publish of \"hola\" and \"¿qué?\" as 8 and 9",
            publish.finish(),
        ),
        ("confirm of 8 and 9 as 20 and 21", reply::confirm(&[run])),
        (
            "batch of one record: number 20, \"hola\" of \"ana\", its 8th",
            batch_of_one(),
        ),
        ("ack of 20", native::ack(OrderNumber(20))),
        (
            "refusal of a gap, client sequence 8 expected",
            refusal.encode(),
        ),
    ];
    let written = written.map(|(caption, bytes)| (caption.to_owned(), bytes));
    assert_eq!(examples(), BTreeMap::from(written));
}
