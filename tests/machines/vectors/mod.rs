//! Every frame of every dialect, as tests/vectors holds it for clients in any language: what the
//! code writes for these fields, and what it reads from these bytes.
//!
//! `UPDATE_VECTORS=1 cargo test --test machines vectors` writes the bytes anew from the fields.

mod fixed;
mod native;

use std::fs;
use std::path::{Path, PathBuf};

use orden::wire::DecodeError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const PROMISE: &str = "This breaks a promise of docs/promises.md: every broker and client of \
    version 1 reads and writes these bytes. Version 1 only grows: add a kind, an option or a \
    start, and a vector for it";

/// One frame, its fields, and who says it.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    by: Side,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fields: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    /// These bytes are read as these fields, which are written in another way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    one_way: bool,
    hex: String,
}

/// Who says a frame.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Side {
    Peer,
    Broker,
}

/// What a frame is called, and its fields.
type Read = Result<(String, Value), DecodeError>;

/// How a dialect is written, if it can say this, and read.
struct Codec {
    encode: fn(Side, &str, &Value) -> Option<Vec<u8>>,
    decode: fn(Side, &[u8]) -> Read,
}

fn file(dialect: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join(format!("tests/vectors/{dialect}.json"))
}

fn read(dialect: &str) -> Vec<Vector> {
    let text = fs::read_to_string(file(dialect)).expect("a file in the repository");
    serde_json::from_str(&text).expect("vectors")
}

fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("a String takes everything");
        hex
    })
}

fn of_hex(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// Bytes as a vector has them: text, or hexadecimal where they are none.
fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.clone().into_bytes(),
        other => of_hex(other["hex"].as_str().expect("text, or hex")),
    }
}

fn shown(bytes: &[u8]) -> Value {
    match str::from_utf8(bytes) {
        Ok(text) => json!(text),
        Err(_) => json!({ "hex": to_hex(bytes) }),
    }
}

fn number(fields: &Value, name: &str) -> u64 {
    let number = fields[name].as_u64();
    number.unwrap_or_else(|| panic!("{name}: a number of 64 bits in {fields}"))
}

fn flag(fields: &Value, name: &str) -> bool {
    let flag = fields[name].as_bool();
    flag.unwrap_or_else(|| panic!("{name}: true or false in {fields}"))
}

/// Writes the bytes anew where the fields say what they are.
fn update(dialect: &str, codec: &Codec) {
    let mut vectors = read(dialect);
    for vector in &mut vectors {
        let (Some(kind), Some(fields), false) = (&vector.kind, &vector.fields, vector.one_way)
        else {
            continue;
        };
        let frame = (codec.encode)(vector.by, kind, fields);
        vector.hex = to_hex(&frame.unwrap_or_else(|| panic!("{dialect} has no {kind}")));
    }
    let text = serde_json::to_string_pretty(&vectors).expect("no key is anything but text");
    // Other tests read it meanwhile.
    let (whole, new) = (file(dialect), file(dialect).with_extension("new"));
    fs::write(&new, text + "\n").expect("the repository can be written");
    fs::rename(new, whole).expect("the repository can be written");
}

fn hold(dialect: &str, codec: &Codec) {
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        update(dialect, codec);
    }
    for vector in read(dialect) {
        let what = format!("{dialect}: {}\n{PROMISE}", vector.name);
        let found = (codec.decode)(vector.by, &of_hex(&vector.hex));
        let (Some(kind), Some(fields)) = (vector.kind, vector.fields) else {
            let reason = found.map_err(|error| error.name().to_owned());
            let refused = vector.refused.expect("fields, or why it is refused");
            assert_eq!(reason, Err(refused), "{what}");
            continue;
        };
        if !vector.one_way {
            let frame = (codec.encode)(vector.by, &kind, &fields);
            assert_eq!(frame.as_deref().map(to_hex), Some(vector.hex), "{what}");
        }
        assert_eq!(found, Ok((kind, fields)), "{what}");
    }
}

#[test]
fn binary() {
    hold("binary", &fixed::BINARY);
}

#[test]
fn json_objects() {
    hold("json", &fixed::JSON);
}

#[test]
fn plain_tcp() {
    hold("plain_tcp", &fixed::PLAIN_TCP);
}

#[test]
fn native_frames() {
    hold("native", &native::NATIVE);
}

/// Every kind, start and code of the native dialect, and every way to write the others.
#[test]
fn nothing_is_left_out() {
    let all = |dialect| read(dialect).into_iter();
    let kinds = all("native").filter_map(|vector| Some((vector.by, vector.kind?)));
    let peer = ["hello", "publish", "ack", "goodbye", "ping", "pong"];
    let broker = [
        "messages", "welcome", "confirm", "refusal", "goodbye", "ping", "pong",
    ];
    let kinds: Vec<_> = kinds.collect();
    for (side, names) in [(Side::Peer, &peer[..]), (Side::Broker, &broker[..])] {
        for name in names {
            let is_there = kinds.contains(&(side, (*name).to_owned()));
            assert!(is_there, "no vector of a {name} by the {side:?}");
        }
    }
    let values = |field: &'static str| {
        let fields = all("native").filter_map(|vector| vector.fields);
        fields.map(move |fields| fields[field].clone())
    };
    for start in native::STARTS {
        assert!(values("start").any(|value| value == *start), "no {start}");
    }
    for code in orden::wire::reply::Code::ALL {
        let number = code.number();
        assert!(values("code").any(|value| value == number), "no {code:?}");
    }
}
