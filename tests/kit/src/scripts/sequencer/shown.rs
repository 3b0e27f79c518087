//! What the broker says and writes, as a person would read it.

use std::fmt::Write as _;

use orden::core::Transport;
use orden::wire::record::{Flags, Record};
use orden::wire::reply::{self, BrokerMessage};
use orden::wire::sessions::{SequenceRun, SessionEntry};
use orden::wire::{ClientSequence, Dialect, batch, binary, dialect_of, json};

/// The most bytes of a text that are shown.
const SHOWN_BYTES: usize = 60;

/// The dialect of a frame from the broker, as the scripts call it.
pub(crate) fn dialect(transport: Transport, frame: &[u8]) -> &'static str {
    match (transport, dialect_of(frame)) {
        (Transport::Tcp, _) => "raw",
        (_, Some(Dialect::Binary | Dialect::Raw)) => "binary",
        (_, Some(Dialect::Json)) => "json",
        (_, Some(Dialect::Native)) => "native",
        (_, None) => "empty",
    }
}

/// A frame from the broker.
pub(crate) fn frame(frame: &[u8]) -> String {
    match dialect_of(frame) {
        None => "an empty frame".into(),
        Some(Dialect::Binary | Dialect::Raw) => {
            let (order, payload) = binary::decode_delivery(frame).unwrap();
            format!("{order} {}", text(payload))
        }
        Some(Dialect::Json) => {
            let (order, message) = json::decode_delivery(frame).unwrap();
            format!("{order} {}", text(message.as_bytes()))
        }
        Some(Dialect::Native) => native(frame),
    }
}

fn native(frame: &[u8]) -> String {
    match reply::decode(frame).unwrap() {
        BrokerMessage::Messages(batches) => {
            let records = batch::records(batches).map(|found| record(&found.unwrap()));
            records.collect::<Vec<_>>().join(" | ")
        }
        BrokerMessage::Welcome(welcome) => format!(
            "welcome {}: begin={} end={} last-sequence={} epoch={}",
            if welcome.resumed { "back" } else { "new" },
            welcome.begin,
            welcome.end,
            welcome.last_sequence,
            welcome.epoch.0
        ),
        BrokerMessage::Confirm(runs) => {
            let runs: Vec<_> = runs.iter().map(run).collect();
            format!("confirmed {}", runs.join(", "))
        }
        BrokerMessage::Refusal(refusal) => {
            let (code, detail, text) = (refusal.code.name(), refusal.detail, refusal.text);
            format!("refused {code} {detail}: {text}")
        }
        BrokerMessage::Goodbye => "goodbye".into(),
        BrokerMessage::Ping => "ping".into(),
        BrokerMessage::Pong => "pong".into(),
    }
}

/// An ordered message: `17 ana: hola`, with `#3` behind the sender for its client sequence.
pub(crate) fn record(record: &Record<'_>) -> String {
    let mut shown = format!("{} {}", record.order, text(record.sender));
    if record.client_sequence != ClientSequence::NONE {
        write!(shown, "#{}", record.client_sequence).unwrap();
    }
    if record.flags.has(Flags::VERBATIM) {
        shown += " (verbatim)";
    }
    shown + ": " + &text(record.payload)
}

/// What the log keeps of a session.
pub(crate) fn entry(entry: &SessionEntry) -> String {
    let name = text(entry.name.as_bytes());
    if !entry.member {
        return format!("{name} is no member");
    }
    let dialect = format!("{:?}", entry.dialect).to_lowercase();
    let mut shown = format!("{name} {dialect} floor={}", entry.floor);
    if entry.last_sequence != ClientSequence::NONE {
        let runs: Vec<_> = entry.runs.iter().map(run).collect();
        let (last, runs) = (entry.last_sequence, runs.join(", "));
        write!(shown, " last-sequence={last} {runs}").unwrap();
    }
    shown
}

fn run(run: &SequenceRun) -> String {
    let last = u64::from(run.count) - 1;
    match last {
        0 => format!("#{} as {}", run.sequence, run.order),
        _ => format!(
            "#{}-{} as {}-{}",
            run.sequence,
            run.sequence.0 + last,
            run.order,
            run.order.0 + last
        ),
    }
}

/// Text on one line, and not too long.
pub(crate) fn text(bytes: &[u8]) -> String {
    let mut shown = String::new();
    for c in String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN_BYTES)]).chars() {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    if bytes.len() > SHOWN_BYTES {
        write!(shown, "… ({} bytes)", bytes.len()).unwrap();
    }
    shown
}
