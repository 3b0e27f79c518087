//! The peer that is a complete client of the native dialect.

use orden::wire::batch::{self, Header, Kind};
use orden::wire::native::{Attempt, Goodbye, Hello, Start};
use orden::wire::record::{Flags, Record};
use orden::wire::reply::{self, Code, Refusal, Welcome};
use orden::wire::sessions::SequenceRun;
use orden::wire::{ClientMessage, ClientSequence, Epoch, LogId, OrderNumber};

use crate::peers::stage::{Broker, ack, start};
use orden_kit::programs::Program;

const LOG_ID: LogId = LogId(77);

/// A broker and a native peer that has said its first hello.
struct Stage {
    broker: Broker,
    peer: Program,
    id: Vec<u8>,
}

impl Stage {
    fn set(script: &str) -> Self {
        let broker = Broker::bind();
        let peer = start("native_peer.py", &broker.address, script);
        let (id, hello) = hear_hello(&broker);
        assert_eq!((hello.name.as_bytes(), hello.receive), (&b"ana"[..], true));
        assert_eq!((hello.start, hello.log_id), (Start::Now, LogId(0)));
        Self { broker, peer, id }
    }

    fn say(&self, frame: &[u8]) {
        self.broker.say(&self.id, frame);
    }

    fn expect_publish(&self, first: u64, texts: &[&str]) {
        let (_, frame) = self.broker.hear();
        let Ok(ClientMessage::Publish(publish)) = orden::wire::decode(&frame) else {
            panic!("{frame:?} instead of a publish");
        };
        assert_eq!(publish.first, ClientSequence(first));
        let texts: Vec<_> = texts.iter().map(|text| text.as_bytes()).collect();
        assert_eq!(publish.payloads().collect::<Vec<_>>(), texts);
    }

    fn expect_goodbye(&self) {
        let goodbye = ClientMessage::Goodbye(Goodbye::Away);
        self.broker.expect(&goodbye);
    }
}

fn hear_hello(broker: &Broker) -> (Vec<u8>, Hello) {
    let (id, frame) = broker.hear();
    match orden::wire::decode(&frame) {
        Ok(ClientMessage::Hello(hello)) => (id, hello),
        other => panic!("{other:?} instead of a hello"),
    }
}

fn welcome(begin: u64, last_sequence: u64) -> Vec<u8> {
    let welcome = Welcome {
        resumed: false,
        epoch: Epoch(1),
        log_id: LOG_ID,
        begin: OrderNumber(begin),
        end: OrderNumber(begin),
        last_sequence: ClientSequence(last_sequence),
        publish_window: 2,
        largest_message: 1 << 20,
    };
    welcome.encode()
}

fn confirm(sequence: u64, order: u64, count: u32) -> Vec<u8> {
    reply::confirm(&[SequenceRun {
        sequence: ClientSequence(sequence),
        order: OrderNumber(order),
        count,
    }])
}

fn refuse(code: Code, detail: u64, text: &str) -> Vec<u8> {
    Refusal { code, detail, text }.encode()
}

fn messages(first: u64, texts: &[(Flags, &str)]) -> Vec<u8> {
    let mut bytes = vec![0; batch::HEADER_LEN];
    for (order, (flags, text)) in (first..).zip(texts) {
        let record = Record {
            order: OrderNumber(order),
            client_sequence: ClientSequence::NONE,
            time: 0,
            flags: *flags,
            sender: b"eva",
            payload: text.as_bytes(),
        };
        record.encode(&mut bytes);
    }
    let header = Header {
        kind: Kind::Messages,
        length: 0,
        count: u32::try_from(texts.len()).expect("a few"),
        first: OrderNumber(first),
        log_id: LOG_ID,
        epoch: Epoch(1),
        body_checksum: 0,
    };
    header.seal(&mut bytes);
    bytes
}

const NONE: Flags = Flags(0);

#[test]
fn what_is_not_confirmed_is_said_again() {
    let stage = Stage::set("--publish 3");
    stage.say(&welcome(5, 10));
    stage.expect_publish(11, &["message 1", "message 2"]);
    stage.say(&confirm(11, 5, 1));
    stage.expect_publish(13, &["message 3"]);
    stage.say(&refuse(Code::NoSession, 0, "say hello first"));
    let (_, hello) = hear_hello(&stage.broker);
    assert_eq!(
        (hello.start, hello.log_id),
        (Start::Resume(OrderNumber(5)), LOG_ID)
    );
    stage.say(&welcome(5, 12));
    stage.expect_publish(13, &["message 3"]);
    stage.say(&confirm(13, 7, 1));
    stage.expect_goodbye();
    assert_eq!(stage.peer.finish(), [""; 0]);
}

#[test]
fn a_session_that_has_ended_begins_anew() {
    let stage = Stage::set("--publish 1");
    stage.say(&welcome(5, 10));
    stage.expect_publish(11, &["message 1"]);
    stage.say(&refuse(
        Code::SequenceGap,
        1,
        "client sequences were skipped",
    ));
    hear_hello(&stage.broker);
    stage.say(&welcome(5, 0));
    stage.expect_publish(1, &["message 1"]);
    stage.say(&confirm(1, 5, 1));
    stage.expect_goodbye();
    stage.peer.finish();
}

#[test]
fn each_message_is_delivered_once_and_in_order() {
    let stage = Stage::set("--expect 4");
    stage.say(&welcome(5, 0));
    // Two batches in a frame, of which the first begins before what was asked for.
    let first = messages(4, &[(NONE, "before"), (NONE, "a")]);
    let second = messages(6, &[(Flags::VERBATIM, "b")]);
    stage.say(&[&first[..], &second].concat());
    stage.broker.expect(&ack(6));
    stage.say(&second);
    stage.broker.expect(&ack(6));
    stage.say(&messages(8, &[(NONE, "too early")]));
    stage.broker.expect(&ack(6));
    stage.say(&refuse(
        Code::Trimmed,
        8,
        "messages before 8 are no longer kept",
    ));
    stage
        .peer
        .complaint(0, "messages 7 to 7 are no longer kept");
    // What was delivered is not delivered again because it is trimmed, too.
    stage.say(&refuse(
        Code::Trimmed,
        6,
        "messages before 6 are no longer kept",
    ));
    let again = messages(6, &[(Flags::VERBATIM, "b"), (NONE, "lost before")]);
    let last = messages(8, &[(NONE, "c"), (NONE, "d")]);
    stage.say(&[&again[..], &last].concat());
    stage.broker.expect(&ack(9));
    stage.expect_goodbye();
    let end = stage.peer.end();
    assert!(end.success(), "{}", end.complaint);
    assert_eq!(end.complaint.matches("no longer kept").count(), 1);
    assert_eq!(end.lines, ["5\teva: a", "6\tb", "8\teva: c", "9\teva: d"]);
}

#[test]
fn a_welcome_that_begins_later_is_told() {
    let stage = Stage::set("--expect 2");
    stage.say(&welcome(5, 0));
    stage.say(&messages(5, &[(NONE, "a")]));
    stage.broker.expect(&ack(5));
    stage.say(&refuse(Code::NoSession, 0, "say hello first"));
    hear_hello(&stage.broker);
    stage.say(&welcome(9, 0));
    stage
        .peer
        .complaint(0, "messages 6 to 8 are no longer kept");
    stage.say(&messages(9, &[(NONE, "b")]));
    stage.broker.expect(&ack(9));
    stage.expect_goodbye();
    assert_eq!(stage.peer.finish(), ["5\teva: a", "9\teva: b"]);
}

#[test]
fn a_ping_is_answered() {
    let stage = Stage::set("--expect 1");
    stage.say(&welcome(0, 0));
    stage.say(&orden::wire::native::ping());
    stage.broker.expect(&ClientMessage::Pong);
}

#[test]
fn silence_is_broken_with_another_hello() {
    let stage = Stage::set("--expect 1");
    hear_hello(&stage.broker);
}

/// Where there are several brokers, one that goes down or says nothing is left for the next, and
/// the session goes on there.
#[test]
fn the_session_goes_on_at_the_next_broker() {
    let (first, second) = (Broker::bind(), Broker::bind());
    let addresses = format!("{},{}", first.address, second.address);
    let peer = start("native_peer.py", &addresses, "--publish 1 --expect 1");
    let (id, hello) = hear_hello(&first);
    let life = hello.attempt.expect("it knows several").life;
    let attempt = |number| Some(Attempt { life, number });
    assert_eq!(hello.attempt, attempt(1));
    first.say(&id, &welcome(5, 10));
    let (_, published) = first.hear();
    first.say(&id, &refuse(Code::Closing, 0, "the broker goes down"));
    for _ in 0..2 {
        let (_, hello) = hear_hello(&second);
        let resumes = Start::Resume(OrderNumber(5));
        assert_eq!((hello.start, hello.log_id), (resumes, LOG_ID));
        assert_eq!(hello.attempt, attempt(2));
    }
    let (id, hello) = hear_hello(&first);
    assert_eq!(hello.attempt, attempt(3));
    first.say(&id, &welcome(5, 10));
    assert_eq!(first.hear().1, published);
    first.say(&id, &confirm(11, 5, 1));
    first.say(&id, &messages(5, &[(NONE, "message 1")]));
    first.expect(&ack(5));
    first.expect(&ClientMessage::Goodbye(Goodbye::Away));
    assert_eq!(peer.finish(), ["5\teva: message 1"]);
}

#[test]
fn what_cannot_be_mended_ends_in_words() {
    let mut torn = messages(5, &[(NONE, "a")]);
    *torn.last_mut().unwrap() ^= 1;
    let text = "another connection has taken this name";
    let refusal = refuse(Code::Superseded, 0, text);
    let mut older = welcome(5, 0);
    older[reply::field::welcome::EPOCH].copy_from_slice(&0_u32.to_be_bytes());
    for (frame, complaint) in [
        (torn, "wrong checksum of message 5"),
        (refusal, text),
        (older, "the broker's log is older than it was"),
    ] {
        let stage = Stage::set("--expect 1");
        stage.say(&welcome(5, 0));
        stage.say(&frame);
        let end = stage.peer.end();
        assert!(
            !end.success() && end.complaint.contains(complaint),
            "{}",
            end.complaint
        );
    }
}

#[test]
fn what_would_be_lost_is_refused() {
    let broker = Broker::bind();
    let peer = start("native_raises.py", &broker.address, "");
    let (id, _) = hear_hello(&broker);
    broker.say(&id, &welcome(5, 0));
    let said = [
        "ValueError: a text can have 1048576 bytes",
        "0 are kept",
        "RuntimeError: 1 texts are not confirmed: receive() first",
    ];
    assert_eq!(peer.finish(), said);
}
