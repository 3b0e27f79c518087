//! Holds docs/protocol.md to the code: its tables, its examples, its numbers and its client.

mod examples;
mod layouts;

use std::fs;
use std::path::Path;

use orden::core::Limits;
use orden::wire::reply::{self, Code};
use orden::wire::{DecodeError, native};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

/// The rows of the table under `heading` whose first column is called `column`.
fn table(heading: &str, column: &str) -> Vec<Vec<String>> {
    let document = read("docs/protocol.md");
    let mut under = "";
    let mut rows = Vec::new();
    let mut in_table = false;
    for line in document.lines() {
        if let Some(heading) = line.strip_prefix('#') {
            under = heading.trim_start_matches('#').trim();
        }
        let Some(row) = line.strip_prefix('|') else {
            in_table = false;
            continue;
        };
        let cells: Vec<_> = row
            .trim_end_matches('|')
            .split('|')
            .map(str::trim)
            .collect();
        if cells[0] == column {
            in_table = under == heading;
        } else if in_table && !cells[0].starts_with("---") {
            rows.push(cells.into_iter().map(str::to_owned).collect());
        }
    }
    assert!(!rows.is_empty(), "no table of {column} under {heading}");
    rows
}

/// The first two columns of a table, as a list.
fn pairs(heading: &str, column: &str) -> Vec<(String, String)> {
    let rows = table(heading, column).into_iter();
    rows.map(|row| (row[0].clone(), row[1].clone())).collect()
}

fn owned<const N: usize>(pairs: [(impl ToString, &str); N]) -> Vec<(String, String)> {
    let pairs = pairs.into_iter();
    pairs
        .map(|(number, name)| (number.to_string(), name.to_owned()))
        .collect()
}

#[test]
fn kinds_starts_and_codes() {
    use native::{kind, start};
    let kinds = [
        (kind::HELLO, "hello"),
        (kind::PUBLISH, "publish"),
        (kind::ACK, "ack"),
        (kind::GOODBYE, "goodbye"),
        (kind::PING, "ping"),
        (kind::PONG, "pong"),
        (reply::kind::MESSAGES, "messages"),
        (reply::kind::WELCOME, "welcome"),
        (reply::kind::CONFIRM, "confirm"),
        (reply::kind::REFUSAL, "refusal"),
    ];
    let kinds = kinds.map(|(kind, name)| (format!("0x{kind:02x}"), name));
    assert_eq!(pairs("Every frame", "kind"), owned(kinds));
    let starts = [
        (start::NOW, "now"),
        (start::BEGINNING, "beginning"),
        (start::AT, "at"),
        (start::LAST, "last"),
        (start::RESUME, "resume"),
    ];
    assert_eq!(pairs("Hello", "start"), owned(starts));
    let codes = Code::ALL
        .iter()
        .map(|&code| (code.number().to_string(), code.name().to_owned()));
    assert_eq!(pairs("Refusal", "code"), codes.collect::<Vec<_>>());
    assert_eq!((native::MAGIC, native::VERSION), (0x4F, 1));
    assert_eq!(
        (
            native::HELLO_RECEIVE,
            native::GOODBYE_KEEP,
            reply::WELCOME_RESUMED
        ),
        (1, 1, 1)
    );
}

#[test]
fn reasons() {
    let reasons = [
        DecodeError::Truncated,
        DecodeError::Trailing,
        DecodeError::TooManyFrames,
        DecodeError::BadFlag,
        DecodeError::OrderOutOfRange,
        DecodeError::NotJson,
        DecodeError::BadJsonFields,
        DecodeError::NoHeader,
        DecodeError::UnsupportedVersion,
        DecodeError::UnexpectedKind,
        DecodeError::FieldOutOfRange,
        DecodeError::BadName,
        DecodeError::BadChecksum,
    ];
    let documented = table("What is refused", "name")
        .into_iter()
        .map(|row| row[0].clone());
    assert_eq!(
        documented.collect::<Vec<_>>(),
        reasons.map(DecodeError::name)
    );
}

#[test]
fn bounds() {
    let limits = Limits::default();
    let bounds = [
        ("largest message", format!("{} bytes", limits.message_bytes)),
        (
            "frames in flight to a member",
            limits.window_frames.to_string(),
        ),
        (
            "bytes in flight to a member",
            limits.window_bytes.to_string(),
        ),
        (
            "resend, at first",
            format!("{} s", limits.resend_after.as_secs_f32()),
        ),
        (
            "resend, doubled up to",
            format!("{} s", limits.resend_after_most.as_secs()),
        ),
        (
            "messages a native peer may have unconfirmed",
            limits.publish_window.to_string(),
        ),
        (
            "silence until a native peer is pinged",
            format!("{} s", limits.ping_after.as_secs()),
        ),
        (
            "silence until a native peer counts as away",
            format!("{} s", limits.away_after.as_secs()),
        ),
    ];
    let bounds = bounds.map(|(name, bound)| (name.to_owned(), bound));
    assert_eq!(pairs("In every dialect", "bound"), bounds);
}

#[test]
fn the_client_is_the_one_that_is_tested() {
    let file = read("tests/peers/native_peer.py");
    let (_, client) = file.split_once("# The client begins here.\n").unwrap();
    let (client, _) = client.split_once("# The client ends here.").unwrap();
    let document = read("docs/protocol.md");
    assert!(
        document.contains(client),
        "copy the client into docs/protocol.md"
    );
}
