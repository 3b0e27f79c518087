//! The machine with keys: who is heard, who is sent what, who loses a connection and when.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use std::time::Duration;

use orden::core::{
    Actions, Counters, Grant, Grants, Input, Limits, Now, Outgoing, Packet, Proof, Ready,
    Recovered, Seed, Sequencer, Undelivered,
};
use orden::wire::reply::{BrokerMessage, Code, decode};
use orden::wire::{Acked, LogId, Name, OrderNumber, PublicKey, binary, json};
use orden_kit::words::hello;

/// A machine, and what time it is for it.
struct Stage {
    machine: Sequencer,
    now: Now,
}

impl Stage {
    fn new(limits: Limits, keys: impl IntoIterator<Item = (PublicKey, Grant)>) -> Self {
        let (now, log) = (Now::default(), Recovered::nothing(LogId(1), 0));
        let machine =
            Sequencer::new(now, limits, log, Seed::default()).guarded_by(Grants::new(keys));
        Self { machine, now }
    }

    /// Somebody sends a frame; gives what follows from it.
    fn says(&mut self, id: &[u8], proof: Option<Proof>, body: &[u8]) -> Ready {
        let packet = Packet {
            id,
            delimited: false,
            body,
            excess: false,
            proof,
        };
        self.machine.step(self.now, Input::Packet(packet));
        self.settles()
    }

    /// What was decided is committed at once; gives what may be done then.
    fn settles(&mut self) -> Ready {
        let writes = self.machine.writes(self.now);
        self.machine.step(self.now, Input::Committed(writes.index));
        self.machine.ready(self.now)
    }

    fn joins(&mut self, id: &[u8], proof: Proof) -> Ready {
        self.says(id, Some(proof), &binary::encode_ack(Acked::Nothing))
    }

    fn greets(&mut self, id: &[u8], proof: Proof, name: &str) -> Ready {
        self.says(id, Some(proof), &hello(name.as_bytes(), true).encode())
    }

    fn passes(&mut self, time: Duration) -> Ready {
        self.now.time = self.now.time + time;
        self.machine.step(self.now, Input::Tick);
        self.settles()
    }

    fn counted(&self, code: Code) -> u64 {
        let Counters { refused, .. } = self.machine.counters();
        refused.get(code.name()).copied().unwrap_or(0)
    }

    fn present(&self) -> Vec<String> {
        let present = self.machine.status().filter(|member| member.present);
        let mut names: Vec<_> = present.map(|member| member.name.to_string()).collect();
        names.sort();
        names
    }
}

fn key(number: u8) -> PublicKey {
    PublicKey::new([number; 32])
}

fn by(number: u8, connection: u64) -> Proof {
    Proof {
        key: key(number),
        connection,
    }
}

fn grant(number: u8, names: &[&str]) -> (PublicKey, Grant) {
    let names = names.iter().map(|name| Name::new(name.as_bytes()).unwrap());
    let grant = Grant {
        names: names.collect(),
        ..Grant::default()
    };
    (key(number), grant)
}

fn text(text: &str) -> Vec<u8> {
    [&[0; 33], text.as_bytes()].concat()
}

/// To whom something is sent.
fn recipients(sends: &[Outgoing]) -> Vec<Vec<u8>> {
    sends
        .iter()
        .flat_map(|send| &send.to)
        .map(|route| route.id.to_vec())
        .collect()
}

fn refusal(ready: &Ready) -> Option<Code> {
    ready
        .sends
        .iter()
        .find_map(|send| match decode(send.frames.bytes()) {
            Ok(BrokerMessage::Refusal(refusal)) => Some(refusal.code),
            _ => None,
        })
}

#[test]
fn nobody_is_heard_without_a_key_on_the_list() {
    let mut stage = Stage::new(Limits::default(), [grant(1, &["ana"])]);
    stage.says(b"ana", None, &text("ana: hola"));
    stage.says(b"ana", Some(by(9, 1)), &text("ana: hola"));
    stage.says(b"ana", Some(by(9, 1)), b"not even a message");
    assert_eq!(stage.counted(Code::NotAllowed), 3);
    assert_eq!(stage.machine.next_order(), OrderNumber(0));
    assert!(stage.present().is_empty());
}

#[test]
fn the_machine_opens_its_door_to_nobody_when_the_list_is_empty() {
    let mut stage = Stage::new(Limits::default(), []);
    let ready = stage.greets(b"\0abcd", by(1, 1), "ana");
    assert_eq!(refusal(&ready), Some(Code::NotAllowed));
}

#[test]
fn a_routing_id_says_nothing_of_who_is_behind_it() {
    let mut stage = Stage::new(Limits::default(), [grant(1, &["ana"]), grant(2, &["eve"])]);
    stage.joins(b"ana", by(1, 1));
    stage.says(b"ana", Some(by(1, 1)), &text("ana: hola"));
    // 48: under the same routing id, with another key, an ACK and a text.
    let ack = binary::encode_ack(Acked::UpTo(OrderNumber(1)));
    let ready = stage.says(b"ana", Some(by(2, 2)), &ack);
    assert!(ready.sends.is_empty() && stage.counted(Code::NotAllowed) == 1);
    let floor = stage.machine.status().next().unwrap().floor;
    assert_eq!(floor, OrderNumber(1), "the ACK did not count");
    stage.says(b"ana", Some(by(2, 2)), &text("ana: I am eve"));
    assert_eq!(stage.machine.next_order(), OrderNumber(2));
    assert_eq!(stage.present(), ["ana"], "she is not disturbed");
    // 27: in the native dialect.
    let ready = stage.greets(b"\0efgh", by(2, 3), "ana");
    assert_eq!(refusal(&ready), Some(Code::NotAllowed));
    assert_eq!(recipients(&ready.sends), [b"\0efgh"]);
}

#[test]
fn what_follows_goes_to_the_connection_that_has_spoken() {
    let mut stage = Stage::new(Limits::default(), [grant(1, &["ana"]), grant(2, &[])]);
    stage.joins(b"ana", by(1, 1));
    stage.joins(b"bea", by(2, 2));
    // Ana comes back over another connection, under the same routing id.
    let ready = stage.joins(b"ana", by(1, 3));
    let numbers = ready
        .sends
        .iter()
        .flat_map(|send| &send.to)
        .map(|route| route.connection);
    assert_eq!(
        numbers.collect::<Vec<_>>(),
        [3],
        "what she has not acknowledged"
    );
}

#[test]
fn whoever_is_refused_hears_why_and_is_disconnected_once() {
    let mut stage = Stage::new(Limits::default(), [grant(1, &["ana"])]);
    for _ in 0..3 {
        let ready = stage.greets(b"\0abcd", by(1, 1), "bea");
        assert!(ready.closes.is_empty());
    }
    assert_eq!(stage.counted(Code::NotAllowed), 3);
    let closes = stage.passes(Duration::from_millis(100)).closes;
    assert_eq!(closes.len(), 1);
    assert_eq!(closes[0].connection, 1);
    assert!(stage.passes(Duration::from_secs(1)).closes.is_empty());
}

#[test]
fn a_key_that_is_taken_off_the_list_ends_its_sessions_connections() {
    let mut stage = Stage::new(Limits::default(), [grant(1, &["ana"]), grant(2, &["bea"])]);
    stage.greets(b"\0abcd", by(1, 1), "ana");
    stage.joins(b"bea", by(2, 2));
    let only_bea = Grants::new([grant(2, &["bea"])]);
    stage.machine.step(stage.now, Input::Grants(only_bea));
    let ready = stage.settles();
    assert_eq!(refusal(&ready), Some(Code::NotAllowed));
    assert_eq!(stage.present(), ["bea"]);
    let ready = stage.says(b"bea", Some(by(2, 2)), &text("bea: among us"));
    assert!(recipients(&ready.sends).iter().all(|id| id == b"bea"));
    assert_eq!(stage.passes(Duration::from_millis(100)).closes.len(), 1);
}

#[test]
fn a_probe_does_not_change_how_somebody_is_spoken_to() {
    let mut stage = Stage::new(Limits::default(), [grant(1, &["ana"]), grant(2, &["bea"])]);
    stage.joins(b"ana", by(1, 1));
    stage.says(b"bea", Some(by(2, 2)), &json::encode_ack(Acked::Nothing));
    let ready = stage.says(b"ana", Some(by(1, 1)), &text("ana: hola"));
    let routes = ready.sends.iter().flat_map(|send| &send.to);
    let route = routes.clone().find(|route| &route.id[..] == b"bea");
    let to = route.unwrap();
    let why = Undelivered::Gone;
    stage
        .machine
        .step(stage.now, Input::Undelivered { to, why });
    stage.settles();
    assert_eq!(stage.present(), ["ana"]);

    let ready = stage.says(b"bea", Some(by(2, 3)), b"");
    let mut to_bea = ready.sends.iter();
    let send = to_bea.find(|send| send.to.iter().any(|route| &route.id[..] == b"bea"));
    assert!(json::decode(&send.unwrap().frames.bytes()[..]).is_ok());
}

#[test]
fn what_a_key_may_do() {
    let may = |publish, receive| Actions {
        publish,
        receive,
        administer: false,
    };
    for (publish, receive) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut narrow = grant(1, &["ana"]);
        narrow.1.may = may(publish, receive);
        let mut stage = Stage::new(Limits::default(), [narrow, grant(2, &[])]);
        stage.joins(b"ana", by(1, 1));
        let before = stage.machine.next_order();
        stage.says(b"ana", Some(by(1, 1)), &text("ana: hola"));
        assert_eq!(stage.machine.next_order() > before, publish);
        stage.joins(b"bea", by(2, 2));
        let sends = stage.says(b"bea", Some(by(2, 2)), &text("bea: hola")).sends;
        let heard = recipients(&sends).contains(&b"ana".to_vec());
        assert_eq!(heard, receive, "publish {publish}, receive {receive}");
    }
}

#[test]
fn a_key_has_so_many_names_and_no_more() {
    let limits = Limits {
        names_per_key: 3,
        ..Limits::default()
    };
    let mut stage = Stage::new(limits, [grant(1, &[]), grant(2, &[])]);
    for (name, connection) in [("a", 1), ("b", 2), ("c", 3), ("d", 4), ("a", 5)] {
        stage.joins(name.as_bytes(), by(1, connection));
    }
    assert_eq!(stage.counted(Code::LimitReached), 1);
    stage.greets(b"\0abcd", by(1, 6), "e");
    // A guest has a name, too.
    stage.joins(b"\0efgh", by(1, 7));
    assert_eq!(stage.counted(Code::LimitReached), 3);
    stage.joins(b"d", by(2, 8));
    assert_eq!(stage.present(), ["a", "b", "c", "d"]);
}

#[test]
fn a_name_is_no_longer_than_allowed() {
    let limits = Limits {
        name_bytes: 3,
        ..Limits::default()
    };
    let mut stage = Stage::new(limits, [grant(1, &[])]);
    stage.joins(b"abc", by(1, 1));
    stage.joins(b"abcd", by(1, 2));
    assert_eq!(stage.counted(Code::LimitReached), 1);
    assert_eq!(stage.present(), ["abc"]);
}

#[test]
fn s18_a_refusal_repeats_nothing_and_is_short() {
    let mut stage = Stage::new(Limits::default(), [grant(1, &["ana"])]);
    let canary = b"tell me what I said";
    let said = [
        b"O\x01\x7F\0",
        b"O\x02\x01\0",
        b"O\x01\x02\0",
        b"O\x01\x05\0",
    ];
    for prefix in said {
        for proof in [None, Some(by(1, 1)), Some(by(9, 2))] {
            let ready = stage.says(b"\0abcd", proof, &[&prefix[..], canary].concat());
            for send in &ready.sends {
                let answer = send.frames.bytes();
                assert!(answer.len() <= 100, "{answer:?}");
                assert!(
                    !answer
                        .windows(8)
                        .any(|window| canary.windows(8).any(|c| c == window))
                );
            }
        }
    }
}
