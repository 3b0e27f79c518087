//! What mutations begin with: one of everything that is right.

use orden::admin::Request;
use orden::admin::report::{MembersQuery, Sort};
use orden::net::key_file::KeyFile;
use orden::wire::native::{self, Goodbye, Hello, Start};
use orden::wire::reply::{self, Code, Refusal, Welcome};
use orden::wire::sessions::{SequenceRun, SessionEntry};
use orden::wire::{
    Acked, ClientSequence, Dialect, Epoch, LogId, Name, OrderNumber, PublicKey, binary, json,
};

use crate::log::batches::chunk;
use crate::log::files::log_of;

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

/// What clients say.
pub(crate) fn client_frames() -> Vec<Vec<u8>> {
    let hello = |start| Hello {
        name: name("ana"),
        start,
        log_id: LogId(1),
        receive: true,
        attempt: None,
        observe: false,
    };
    let publish = [
        &b"O\x01\x02\0\0\0\0\x02\0\0\0\0\0\0\0\x01"[..],
        b"\0\0\0\x04hola\0\0\0\x01x",
    ];
    vec![
        Vec::new(),
        hello(Start::Now).encode(),
        hello(Start::Resume(OrderNumber(3))).encode(),
        publish.concat(),
        native::ack(OrderNumber(5)),
        native::ping(),
        native::pong(),
        Goodbye::Leave.encode(),
        Goodbye::Away.encode(),
        binary::encode_ack(Acked::Nothing).to_vec(),
        binary::encode_ack(Acked::UpTo(OrderNumber(2))).to_vec(),
        [&[0; 33][..], b"ana: hola"].concat(),
        json::encode_ack(Acked::UpTo(OrderNumber(2))),
        br#"{"timeStamp": -1, "isACK": false, "message": "ana: hola"}"#.to_vec(),
    ]
}

/// What the broker says.
pub(crate) fn broker_frames() -> Vec<Vec<u8>> {
    let welcome = Welcome {
        resumed: true,
        epoch: Epoch(2),
        log_id: LogId(1),
        begin: OrderNumber(0),
        end: OrderNumber(9),
        last_sequence: ClientSequence(4),
        publish_window: 100,
        largest_message: 1000,
    };
    let refusal = Refusal {
        code: Code::SequenceGap,
        detail: 7,
        text: "client sequences were skipped",
    };
    let messages = chunk(0, &[4, 0, 30], 1);
    vec![
        welcome.encode(),
        reply::confirm(&[run(1, 0, 3)]),
        refusal.encode(),
        messages.bytes().to_vec(),
        native::ping(),
        Goodbye::Leave.encode(),
        [&[0; 33][..], b"ana: hola"].concat(),
        br#"{"timeStamp": 1, "isACK": false, "message": "ana: hola"}"#.to_vec(),
    ]
}

/// What comes over plain TCP: messages without anything between them.
pub(crate) fn plain_tcp() -> Vec<Vec<u8>> {
    let text = [&[0; 33][..], b"ana: hola"].concat();
    let ack = binary::encode_ack(Acked::UpTo(OrderNumber(2))).to_vec();
    vec![text.clone(), [ack, text.clone(), text].concat()]
}

pub(crate) fn key_files() -> Vec<Vec<u8>> {
    let mut file = KeyFile::new(PublicKey::new([7; 32]));
    let plain = file.encode();
    file.names = vec![name("ana"), name("bea")];
    file.may.administer = true;
    let list = format!("# keys\n{} name=ana may=publish,receive\n", file.public);
    [plain, file.encode(), list]
        .map(String::into_bytes)
        .to_vec()
}

pub(crate) fn addresses() -> Vec<Vec<u8>> {
    let addresses = [
        "127.0.0.1:8081",
        ":0",
        "*:1",
        "tcp://[::1]:80",
        "ipc:///tmp/x",
    ];
    addresses.map(|text| text.as_bytes().to_vec()).to_vec()
}

pub(crate) fn control_lines() -> Vec<Vec<u8>> {
    let odd = Name::new(b"an\xe1").unwrap();
    let requests = [
        Request::Status,
        Request::Members(MembersQuery {
            sort: Sort::Lag,
            limit: 3,
            after: Some(odd.clone()),
        }),
        Request::Kick(name("ana")),
        Request::End(odd),
        Request::Drain(7),
        Request::Reload,
    ];
    requests.map(|request| request.line().into_bytes()).to_vec()
}

pub(crate) fn http_requests() -> Vec<Vec<u8>> {
    let requests = [
        "GET /messages?from=last:3&count=2&follow=false\nhost: localhost\naccept: text/*\n",
        "GET /messages\nhost: 127.0.0.1:8080\nlast-event-id: 17\n",
        "POST /messages?name=an%e1+a&sequence=7&claim=x1\nhost: localhost\n",
        "GET /members?sort=lag&limit=3&after=%ff\nauthorization: Bearer 0123456789abcdef\n",
        "GET /members/an%2Fa\ncookie: a=b; orden=0123456789abcdef\norigin: http://localhost\n",
    ];
    requests.map(|text| text.as_bytes().to_vec()).to_vec()
}

pub(crate) fn session_entries() -> Vec<Vec<u8>> {
    let entry = SessionEntry {
        name: name("ana"),
        member: true,
        dialect: Dialect::Native,
        delimited: false,
        floor: OrderNumber(3),
        heard: 1_000,
        away: false,
        last_sequence: ClientSequence(4),
        runs: vec![run(1, 0, 2), run(3, 5, 2)],
        digests: vec![1, 2, 3, 4],
    };
    let mut bytes = Vec::new();
    entry.encode(&mut bytes);
    vec![bytes]
}

pub(crate) fn segments() -> Vec<Vec<u8>> {
    let files = log_of(4096, &[&[10, 20], &[0], &[300]], true);
    files.values().map(|bytes| bytes.to_vec()).collect()
}

/// Bytes that `machine.rs` reads as a conversation: who speaks, what, and how time passes.
pub(crate) fn conversations() -> Vec<Vec<u8>> {
    let said = |who: u8, frame: &[u8]| [&[who, 0, frame.len() as u8][..], frame].concat();
    let all: Vec<_> = client_frames();
    let once: Vec<u8> = (0..4).flat_map(|who| said(who, &all[9])).collect();
    let each: Vec<u8> = (0_u8..)
        .zip(&all)
        .flat_map(|(at, frame)| [said(at % 4, frame), said(at % 3 + 1, &all[11])].concat())
        .collect();
    let ticks: Vec<u8> = [said(0, &all[1]), vec![0, 4, 200, 1, 4, 255]].concat();
    vec![once, each, ticks]
}

fn run(sequence: u64, order: u64, count: u32) -> SequenceRun {
    SequenceRun {
        sequence: ClientSequence(sequence),
        order: OrderNumber(order),
        count,
    }
}
