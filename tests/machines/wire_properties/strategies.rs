//! What the properties of the wire are tried with.

use orden::wire::batch::{self, Header, Kind};
use orden::wire::native::{self, Attempt, Hello, PublishFrame, Start};
use orden::wire::record::{Flags, Record};
use orden::wire::reply::{self, BrokerMessage, Code, Refusal, Welcome};
use orden::wire::sessions::{SequenceRun, SessionEntry};
use orden::wire::{Acked, ClientSequence, Dialect, Epoch, LogId, Name, OrderNumber};
use orden::wire::{binary, json};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

pub(crate) fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..40)
}

pub(crate) fn name() -> impl Strategy<Value = Name> {
    let bytes = prop_oneof![
        "[a-zñ: ]{1,8}".prop_map(String::into_bytes),
        vec(any::<u8>(), 1..256)
    ];
    bytes.prop_filter_map("no name", |bytes| Name::new(&bytes).ok())
}

pub(crate) fn acked() -> impl Strategy<Value = Acked> {
    let number = any::<u64>().prop_map(|order| Acked::UpTo(OrderNumber(order)));
    prop_oneof![Just(Acked::Nothing), number]
}

/// What a peer on plain TCP gives to one `send`.
pub(crate) fn send() -> impl Strategy<Value = Vec<u8>> {
    let ack = acked().prop_map(|acked| binary::encode_ack(acked).to_vec());
    let text = (any::<u64>(), "[a-zñ: \u{80}-\u{10FFFF}]{0,20}").prop_map(|(order, text)| {
        let mut frame = Vec::new();
        binary::encode_message(OrderNumber(order), [text.as_bytes(), b"", b""], &mut frame);
        frame
    });
    prop_oneof![ack, text]
}

/// Pieces of which a stream on plain TCP could be made, in good faith or bad.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Letter {
    One(u8),
    Run(u8, usize),
}

impl Letter {
    pub(crate) fn any() -> impl Strategy<Value = Self> {
        let one = prop_oneof![Just(0), Just(1), Just(0xFF), any::<u8>()].prop_map(Self::One);
        prop_oneof![
            one,
            (select(vec![0, 0xFF]), 20_usize..40).prop_map(|(b, n)| Self::Run(b, n))
        ]
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        match self {
            Self::One(byte) => vec![byte],
            Self::Run(byte, length) => vec![byte; length],
        }
    }
}

pub(crate) fn hello() -> impl Strategy<Value = Hello> {
    let start = any::<u64>().prop_flat_map(|n| {
        let order = OrderNumber(n);
        let numbered = [Start::At(order), Start::Last(n), Start::Resume(order)];
        select([&[Start::Now, Start::Beginning][..], &numbered].concat())
    });
    let options = select(vec![(false, false), (true, false), (true, true)]);
    let attempt = any::<Option<(u64, u32)>>();
    let parts = (name(), start, options, any::<u64>(), attempt);
    parts.prop_map(|(name, start, options, log_id, attempt)| Hello {
        name,
        start,
        receive: options.0,
        observe: options.1,
        log_id: LogId(log_id),
        attempt: attempt.map(|(life, number)| Attempt { life, number }),
    })
}

fn run() -> impl Strategy<Value = SequenceRun> {
    (1..u64::MAX >> 1, 0..u64::MAX >> 1, 1..=u32::MAX).prop_map(|(sequence, order, count)| {
        SequenceRun {
            sequence: ClientSequence(sequence),
            order: OrderNumber(order),
            count,
        }
    })
}

pub(crate) fn reply() -> impl Strategy<Value = (BrokerMessage<'static>, Vec<u8>)> {
    let welcome = any::<(bool, u32, [u64; 4], u32, u32)>().prop_map(|of| {
        let welcome = Welcome {
            resumed: of.0,
            epoch: Epoch(of.1),
            log_id: LogId(of.2[0]),
            begin: OrderNumber(of.2[1]),
            end: OrderNumber(of.2[2]),
            last_sequence: ClientSequence(of.2[3]),
            publish_window: of.3,
            largest_message: of.4,
        };
        (BrokerMessage::Welcome(welcome), welcome.encode())
    });
    let confirm = vec(run(), 0..5).prop_map(|runs| {
        let frame = reply::confirm(&runs);
        (BrokerMessage::Confirm(runs), frame)
    });
    let texts = select(vec!["", "the disk is full", "ñandú, \u{1F426} and \0"]);
    let refusal = (select(Code::ALL), any::<u64>(), texts).prop_map(|(code, detail, text)| {
        let refusal = Refusal { code, detail, text };
        (BrokerMessage::Refusal(refusal), refusal.encode())
    });
    let short = select(vec![
        (BrokerMessage::Goodbye, native::Goodbye::Away.encode()),
        (BrokerMessage::Ping, native::ping()),
        (BrokerMessage::Pong, native::pong()),
    ]);
    prop_oneof![welcome, confirm, refusal, short]
}

pub(crate) fn session() -> impl Strategy<Value = SessionEntry> {
    let dialects = [
        Dialect::Binary,
        Dialect::Json,
        Dialect::Raw,
        Dialect::Native,
    ];
    let numbers = any::<([bool; 2], [u64; 3])>();
    let lists = (vec(run(), 0..4), vec(any::<u32>(), 0..9));
    (name(), select(dialects.to_vec()), numbers, lists).prop_map(
        |(name, dialect, ([member, delimited], numbers), (runs, digests))| SessionEntry {
            name,
            member,
            dialect,
            delimited,
            floor: OrderNumber(numbers[0]),
            heard: numbers[1] >> 1,
            away: numbers[1] & 1 == 1,
            last_sequence: ClientSequence(numbers[2]),
            runs,
            digests,
        },
    )
}

pub(crate) fn record<'a>(sender: &'a [u8], flags: Flags, payload: &'a [u8]) -> Record<'a> {
    Record {
        order: OrderNumber(0),
        client_sequence: ClientSequence(1),
        time: 1_700_000_000_000_000,
        flags,
        sender,
        payload,
    }
}

pub(crate) fn header(kind: Kind, count: u32, first: u64) -> Header {
    Header {
        kind,
        length: 0,
        count,
        first: OrderNumber(first),
        log_id: LogId(7),
        epoch: Epoch(1),
        body_checksum: 0,
    }
}

/// A batch of messages and what they say.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) payloads: Vec<Vec<u8>>,
}

impl Batch {
    pub(crate) fn body(&self) -> Vec<u8> {
        self.bytes[batch::HEADER_LEN..].to_vec()
    }
}

pub(crate) fn batch() -> impl Strategy<Value = Batch> {
    (0..u64::MAX >> 1, vec((name(), bytes()), 0..6)).prop_map(|(first, messages)| {
        let mut bytes = vec![0; batch::HEADER_LEN];
        for (order, (name, payload)) in (first..).zip(&messages) {
            let mut record = record(name.as_bytes(), Flags::default(), payload);
            record.order = OrderNumber(order);
            record.encode(&mut bytes);
        }
        let count = u32::try_from(messages.len()).expect("a few");
        header(Kind::Messages, count, first).seal(&mut bytes);
        let payloads = messages.into_iter().map(|(_, payload)| payload).collect();
        Batch { bytes, payloads }
    })
}

/// A frame of any dialect and direction, a record or a session entry; or no such thing.
pub(crate) fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let json = (any::<u64>(), bytes()).prop_map(|(order, payload)| {
        let mut frame = Vec::new();
        let _ = json::encode_message(OrderNumber(order), [&payload, b"", b""], &mut frame);
        frame
    });
    let publish = vec(bytes(), 1..5).prop_map(|payloads| {
        let mut frame = PublishFrame::new(ClientSequence(1));
        for payload in &payloads {
            frame.push(payload);
        }
        frame.finish()
    });
    let session = session().prop_map(|session| {
        let mut entry = Vec::new();
        session.encode(&mut entry);
        entry
    });
    prop_oneof![
        bytes(),
        vec(any::<u8>(), 0..3)
            .prop_map(|rest| [vec![native::MAGIC, native::VERSION], rest].concat()),
        send(),
        json,
        hello().prop_map(|hello| hello.encode()),
        publish,
        reply().prop_map(|(_, frame)| frame),
        session,
        batch().prop_map(|batch| batch.body()),
        batch().prop_map(|batch| batch.bytes),
    ]
}

/// The bytes, but for a byte here, a stretch there, or an end.
pub(crate) fn nearly(bytes: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![Just(0), Just(1), Just(0x7F), Just(0xFF), any::<u8>()];
    let change = (any::<Index>(), value, 0_usize..9, 0..4);
    vec(change, 0..4).prop_map(move |changes| {
        let mut bytes = bytes.clone();
        for (at, value, length, change) in changes {
            let at = at.index(bytes.len() + 1);
            let end = bytes.len().min(at + length);
            match change {
                0 => bytes.truncate(at),
                1 => drop(bytes.drain(at..end)),
                2 => bytes.insert(at, value),
                _ => bytes[at..end].fill(value),
            }
        }
        bytes
    })
}
