//! The machine with keys as one of several brokers, where time passes between a hello and its
//! seat: what counts is what the key may do when the seat comes.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::time::Duration;

use orden::core::replica::found;
use orden::core::{
    Actions, Grant, Grants, Input, Limits, Now, Packet, Proof, Ready, Recovered, Seed, Sequencer,
    StreamNews,
};
use orden::wire::native::{Hello, Start};
use orden::wire::reply::{BrokerMessage, Code, decode};
use orden::wire::stream_record::Founding;
use orden::wire::{Acked, LogId, Name, OrderNumber, Position, PublicKey, binary, native};
use orden_kit::words;

const ORDER: LogId = LogId(1);

/// A broker with a stream of its own.
struct Stage {
    machine: Sequencer,
    now: Now,
    position: u64,
}

impl Stage {
    fn new(limits: Limits, keys: impl IntoIterator<Item = (PublicKey, Grant)>) -> Self {
        let (now, log) = (Now::default(), Recovered::nothing(ORDER, 1));
        let machine = Sequencer::new(now, limits, log, Seed::default());
        let machine = machine.among(now, name("madrid"), None);
        let mut stage = Self {
            machine: machine.guarded_by(Grants::new(keys)),
            now,
            position: 0,
        };
        stage.reads(&found(&Founding {
            message_bytes: 4 << 20,
            ..words::founding(ORDER)
        }));
        stage.hears(Input::Stream(StreamNews::Level));
        stage.stream_answers();
        assert!(stage.machine.is_open());
        stage
    }

    fn hears(&mut self, input: Input<'_>) {
        self.machine.step(self.now, input);
    }

    fn reads(&mut self, record: &[u8]) {
        self.position += 1;
        let position = Position(self.position);
        self.hears(Input::Ordered { position, record });
    }

    /// What was proposed comes back, until there is nothing more; gives what may be done then.
    fn stream_answers(&mut self) -> Ready {
        loop {
            self.now.time = self.now.time + Duration::from_millis(1);
            let appends = self.machine.appends(self.now);
            if appends.is_empty() && self.machine.is_settled() {
                return self.settles();
            }
            for append in appends {
                self.reads(&append.record);
            }
        }
    }

    fn settles(&mut self) -> Ready {
        let writes = self.machine.writes(self.now);
        self.hears(Input::Committed(writes.index));
        self.machine.ready(self.now)
    }

    fn says(&mut self, id: &[u8], proof: Proof, body: &[u8]) {
        self.hears(Input::Packet(Packet {
            id,
            delimited: false,
            body,
            excess: false,
            proof: Some(proof),
        }));
    }

    fn counted(&self, code: Code) -> u64 {
        let refused = &self.machine.counters().refused;
        refused.get(code.name()).copied().unwrap_or(0)
    }

    fn present(&self) -> usize {
        self.machine
            .status()
            .filter(|member| member.present)
            .count()
    }

    fn greets(&mut self, id: &[u8], proof: Proof, hello: &Hello) {
        self.says(id, proof, &hello.encode());
    }

    /// Ana says so much that there is something to be delivered.
    fn somebody_publishes(&mut self) -> Ready {
        self.says(b"ana", by(9, 99), &text("ana: secret"));
        self.stream_answers()
    }
}

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

fn by(number: u8, connection: u64) -> Proof {
    Proof {
        key: PublicKey::new([number; 32]),
        connection,
    }
}

fn hello(text: &str, start: Start) -> Hello {
    Hello {
        start,
        ..words::hello(text.as_bytes(), true)
    }
}

/// What a key may do that may do anything, or all but to receive.
fn grant(number: u8, receive: bool) -> (PublicKey, Grant) {
    let may = Actions {
        receive,
        ..Actions::default()
    };
    let grant = Grant {
        may,
        ..Grant::default()
    };
    (by(number, 0).key, grant)
}

fn text(text: &str) -> Vec<u8> {
    [&[0; 33], text.as_bytes()].concat()
}

/// How many deliveries go to a connection.
fn delivered(ready: &Ready, id: &[u8]) -> usize {
    let sends = ready.sends.iter();
    sends
        .filter(|send| send.to.iter().any(|route| *route.id == *id))
        .filter(|send| !matches!(decode(send.frames.bytes()), Ok(BrokerMessage::Welcome(_))))
        .filter(|send| decode(send.frames.bytes()).is_ok_and(|it| is_delivery(&it)))
        .count()
}

fn is_delivery(message: &BrokerMessage<'_>) -> bool {
    matches!(message, BrokerMessage::Messages(_))
}

fn refusal(ready: &Ready, id: &[u8]) -> Option<Code> {
    let sends = ready.sends.iter();
    let mut to_it = sends.filter(|send| send.to.iter().any(|route| *route.id == *id));
    to_it.find_map(|send| match decode(send.frames.bytes()) {
        Ok(BrokerMessage::Refusal(refusal)) => Some(refusal.code),
        _ => None,
    })
}

const SPY: &[u8] = b"\0spy1";

#[test]
fn a_key_that_may_only_publish_is_delivered_nothing_however_often_it_says_hello() {
    for receive in [true, false] {
        let mut stage = Stage::new(Limits::default(), [grant(1, receive), grant(9, true)]);
        let mut got = 0;
        for round in 0..3 {
            let start = match round {
                0 => Start::Beginning,
                // As good as an ACK.
                _ => Start::Resume(stage.machine.next_order()),
            };
            stage.greets(SPY, by(1, 1), &hello("spy", start));
            got += delivered(&stage.stream_answers(), SPY);
            got += delivered(&stage.somebody_publishes(), SPY);
        }
        assert_eq!(got > 0, receive);
    }
}

#[test]
fn a_key_that_is_taken_off_the_list_gets_no_seat_that_it_has_asked_for() {
    let mut stage = Stage::new(Limits::default(), [grant(1, true), grant(9, true)]);
    stage.greets(SPY, by(1, 1), &hello("spy", Start::Beginning));
    stage.says(b"bea", by(1, 2), &binary::encode_ack(Acked::Nothing));
    stage.hears(Input::Grants(Grants::new([grant(9, true)])));
    let ready = stage.settles();
    assert_eq!(refusal(&ready, SPY), Some(Code::NotAllowed));
    stage.stream_answers();
    let ready = stage.somebody_publishes();
    assert_eq!(delivered(&ready, SPY), 0);
    let recipients = ready.sends.iter().flat_map(|send| &send.to);
    assert!(recipients.clone().all(|route| *route.id == *b"ana"));
    assert_eq!(stage.present(), 1, "only ana");
    stage.now.time = stage.now.time + Duration::from_secs(1);
    stage.hears(Input::Tick);
    assert_eq!(stage.settles().closes.len(), 2);
}

#[test]
fn what_is_said_before_the_seat_comes_is_heard_with_it() {
    let mut stage = Stage::new(Limits::default(), [grant(1, true)]);
    stage.greets(SPY, by(1, 1), &hello("spy", Start::Now));
    let mut frame = native::PublishFrame::new(orden::wire::ClientSequence(1));
    frame.push(b"early");
    stage.says(SPY, by(1, 1), &frame.finish());
    let before = stage.machine.next_order();
    stage.stream_answers();
    // Its joining, and what it has said.
    assert_eq!(stage.machine.next_order(), OrderNumber(before.0 + 2));
}

#[test]
fn names_that_a_key_has_asked_for_count_as_its_own() {
    let limits = Limits {
        names_per_key: 5,
        ..Limits::default()
    };
    let mut stage = Stage::new(limits, [grant(1, true), grant(2, true)]);
    for connection in 1..=12_u8 {
        let id = [0, 0, 0, 0, connection];
        let called = hello(&format!("n{connection}"), Start::Now);
        // Twice: a name that is asked for again is the same name.
        stage.greets(&id, by(1, connection.into()), &called);
        stage.greets(&id, by(1, connection.into()), &called);
    }
    stage.says(b"\0guest", by(1, 13), &binary::encode_ack(Acked::Nothing));
    stage.says(b"bea", by(2, 14), &binary::encode_ack(Acked::Nothing));
    assert_eq!(stage.counted(Code::LimitReached), 15);
    stage.stream_answers();
    assert_eq!(stage.present(), 6, "five of the one key, and bea");
}

#[test]
fn whoever_says_much_before_its_seat_comes_makes_nobody_wait() {
    let keys = [grant(1, true), grant(2, true), grant(9, true)];
    let mut stage = Stage::new(Limits::default(), keys);
    let much = text(&"z".repeat(100_000));
    for _ in 0..60 {
        stage.says(b"bin", by(1, 1), &much);
    }
    stage.says(b"bea", by(2, 2), &text("bea: me, too"));
    assert!(!stage.machine.is_congested());
    let dropped = stage.counted(Code::NoSpace);
    assert!((40..60).contains(&dropped), "{dropped}");
    stage.stream_answers();
    let held = 60 - dropped;
    // Two have joined, and bea has said something.
    assert_eq!(stage.machine.next_order(), OrderNumber(3 + held));
}

#[test]
fn a_plain_connection_that_says_much_before_it_is_a_member_is_closed() {
    let mut stage = Stage::new(Limits::default(), []);
    let (id, name) = (b"tcp".as_slice(), "127.0.0.1:7");
    stage.hears(Input::Connected { id, name });
    for _ in 0..60 {
        let bytes = "z".repeat(100_000);
        let bytes = bytes.as_bytes();
        stage.hears(Input::Bytes { id, bytes });
    }
    assert_eq!(stage.settles().closes.len(), 1);
    stage.hears(Input::Disconnected { id });
    stage.stream_answers();
    assert_eq!(stage.machine.status().count(), 0);
}

#[test]
fn nobody_sits_down_at_a_broker_that_is_cut_off() {
    let mut stage = Stage::new(Limits::default(), [grant(1, true)]);
    stage.hears(Input::Stream(StreamNews::Reached(false)));
    stage.now.time = stage.now.time + Duration::from_secs(4);
    stage.hears(Input::Tick);
    stage.says(b"bin", by(1, 1), &text("bin: hola"));
    stage.greets(SPY, by(1, 2), &hello("spy", Start::Now));
    let ahead = hello("eva", Start::At(OrderNumber(1000)));
    stage.greets(b"\0evas", by(1, 3), &ahead);
    assert_eq!(stage.counted(Code::Closing), 3);
    stage.stream_answers();
    assert_eq!(stage.machine.status().count(), 0);
}

#[test]
fn a_start_beyond_the_end_is_refused_once_the_end_is_known() {
    let mut stage = Stage::new(Limits::default(), [grant(1, true), grant(9, true)]);
    stage.somebody_publishes();
    for observe in [true, false] {
        for number in [1000, u64::MAX] {
            for start in [Start::At, Start::Resume] {
                let mut hello = hello("spy", start(OrderNumber(number)));
                hello.observe = observe;
                stage.greets(SPY, by(1, 1), &hello);
                let ready = stage.stream_answers();
                assert_eq!(refusal(&ready, SPY), Some(Code::LogRegressed));
            }
        }
    }
    assert_eq!(stage.machine.status().count(), 1, "only ana");
    // What this broker will know in a moment is not beyond the end.
    for observe in [true, false] {
        let end = stage.machine.next_order();
        stage.says(b"ana", by(9, 99), &text("ana: news"));
        let mut hello = hello("spy", Start::At(end.plus(1)));
        hello.observe = observe;
        stage.greets(SPY, by(1, 1), &hello);
        assert_eq!(refusal(&stage.stream_answers(), SPY), None);
        let ready = stage.somebody_publishes();
        assert_eq!(delivered(&ready, SPY), 1);
    }
}
