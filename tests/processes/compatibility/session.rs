//! A recorded session: what a peer said, and what a broker answered, to the byte.
//!
//! A frame of messages is taken apart into records, because a broker may send the same records in
//! other frames, and again. Of what is ordered while it is played, the times are left out.

use std::collections::BTreeSet;
use std::fmt::Write;

use orden::wire::batch;
use orden::wire::record::Record;
use orden::wire::reply::{self, BrokerMessage, Refusal};

/// One line of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The peer says this.
    Say(Vec<u8>),
    /// The broker answers with this: a frame; or `record` and one record of a frame of messages;
    /// or `refusal` and one without its text.
    Hear(String),
}

/// A recorded session.
pub(super) struct Session {
    /// The peer's routing id.
    pub(super) peer: String,
    pub(super) steps: Vec<Step>,
}

pub(super) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String takes everything");
        hex
    })
}

fn of_hex(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
    (0..hex.len()).step_by(2).map(byte).collect()
}

impl Session {
    pub(super) fn parse(text: &str) -> Self {
        let (first, rest) = text.split_once('\n').expect("a peer");
        let peer = first.strip_prefix("peer ").expect("a peer").to_owned();
        let step = |line: &str| match line.split_at(2) {
            ("> ", hex) => Step::Say(of_hex(hex)),
            ("< ", heard) => Step::Hear(heard.to_owned()),
            _ => panic!("`> ` or `< `: {line}"),
        };
        let steps = rest.lines().map(step).collect();
        Self { peer, steps }
    }

    pub(super) fn print(&self) -> String {
        let mut text = format!("peer {}\n", self.peer);
        for step in &self.steps {
            match step {
                Step::Say(frame) => writeln!(text, "> {}", to_hex(frame)),
                Step::Hear(heard) => writeln!(text, "< {heard}"),
            }
            .expect("a String takes everything");
        }
        text
    }
}

/// What was heard, in the notation of a session: pings are left out, as they come by the clock.
pub(super) fn heard(frame: &[u8], old_end: u64) -> Vec<String> {
    match (frame.first(), reply::decode(frame)) {
        (Some(b'O'), Ok(BrokerMessage::Ping)) => Vec::new(),
        (Some(b'O'), Ok(BrokerMessage::Messages(batches))) => batch::records(batches)
            .map(|record| record_shown(record.expect("a record"), old_end))
            .collect(),
        // Its text is for people.
        (Some(b'O'), Ok(BrokerMessage::Refusal(refusal))) => {
            let refusal = Refusal {
                text: "",
                ..refusal
            };
            vec![format!("refusal {}", to_hex(&refusal.encode()))]
        }
        _ => vec![to_hex(frame)],
    }
}

fn record_shown(mut record: Record, old_end: u64) -> String {
    if record.order.0 >= old_end {
        record.time = 0;
    }
    let mut bytes = Vec::new();
    record.encode(&mut bytes);
    format!("record {}", to_hex(&bytes))
}

/// Deliveries once each, although a broker sends again what is not acknowledged in time.
#[derive(Default)]
pub(super) struct Once(BTreeSet<String>);

impl Once {
    pub(super) fn take(&mut self, mut heard: Vec<String>) -> Vec<String> {
        let is_native = |item: &str| item.starts_with("4f") || item.starts_with("refusal");
        heard.retain(|item| is_native(item) || self.0.insert(item.clone()));
        heard
    }
}
