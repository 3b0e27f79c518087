//! One message of the order, as a line of text and as a line of JSON.

use std::fmt;
use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Serialize, Serializer};

use super::escaped::{Escaped, is_active};
use super::timestamp::Timestamp;

/// One message of the order, to be shown.
///
/// By [`fmt::Display`] it is a line of text: `17 ana: hola`. The sender always stands there, also
/// before a payload that names a sender itself, so that no member speaks in another's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its place in the order.
    pub order: u64,
    /// Its sender's name.
    pub from: &'a [u8],
    /// What it says.
    pub payload: &'a [u8],
    /// When it was ordered, in microseconds since 1970 (UTC).
    pub time: u64,
    /// Whether it is a notice of the broker's own.
    pub is_notice: bool,
}

impl<'a> Message<'a> {
    /// The sender's name, escaped.
    #[must_use]
    pub fn sender(&self) -> Escaped<'a> {
        Escaped::name(self.from)
    }

    /// The payload, escaped.
    #[must_use]
    pub fn text(&self) -> Escaped<'a> {
        Escaped::text(self.payload)
    }

    /// A line of JSON, without its end:
    /// `{"order":17,"from":"ana","message":"hola","time":"2026-01-02T03:04:05.000006Z","kind":"message"}`.
    ///
    /// A name or payload that is not UTF-8 stands as `from_base64` or `message_base64` instead:
    /// so every name and payload can be told from all others. `kind` is `message` or `notice`.
    ///
    /// # Panics
    /// Never: numbers and text are always JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let (from, from_base64) = text_or_base64(self.from);
        let (message, message_base64) = text_or_base64(self.payload);
        let json = Json {
            order: self.order,
            from,
            from_base64,
            message,
            message_base64,
            time: Timestamp(self.time),
            kind: if self.is_notice { "notice" } else { "message" },
        };
        to_json(&json)
    }
}

/// A value as a line of JSON that does nothing to a terminal.
///
/// # Panics
/// If it is none that JSON can hold: numbers, text, lists and objects are.
pub fn to_json(value: &impl Serialize) -> String {
    let mut line = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut line, Inert);
    let written = value.serialize(&mut serializer);
    written.expect("numbers and text are always JSON");
    String::from_utf8(line).expect("JSON is text")
}

impl fmt::Display for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.order, self.sender(), self.text())
    }
}

#[derive(Serialize)]
struct Json<'a> {
    order: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_base64: Option<String>,
    time: Timestamp,
    kind: &'static str,
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

fn text_or_base64(bytes: &[u8]) -> (Option<&str>, Option<String>) {
    match str::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(_) => (None, Some(BASE64.encode(bytes))),
    }
}

/// Writes JSON that does nothing to a terminal either: JSON lets most control characters stand as
/// they are, and every character be escaped.
struct Inert;

impl serde_json::ser::Formatter for Inert {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(is_active) {
            writer.write_all(&rest.as_bytes()[..at])?;
            let active = rest[at..].chars().next().expect("a character was found");
            for unit in active.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + active.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message<'a>(from: &'a [u8], payload: &'a [u8]) -> Message<'a> {
        Message {
            order: 17,
            from,
            payload,
            time: 1,
            is_notice: false,
        }
    }

    const REST: &str = r#""time":"1970-01-01T00:00:00.000001Z","kind":"message"}"#;

    #[test]
    fn a_line_of_text() {
        assert_eq!(message(b"ana", b"hola").to_string(), "17 ana: hola");
        assert_eq!(message(b"ana", b"").to_string(), "17 ana: ");
        let speaks_for_another = message(b"guest-1", b"juan: hola").to_string();
        assert_eq!(speaks_for_another, "17 guest-1: juan: hola");
        let forged = message(b"a\x1b[2Jna", b"x\n18 ana: forged").to_string();
        assert_eq!(forged, r"17 a\u{1b}[2Jna: x\n18 ana: forged");
        assert_eq!(message(b"ana: x", b"y").to_string(), r"17 ana\u{3a} x: y");
    }

    #[test]
    fn a_line_of_json() {
        let json = |from, payload| message(from, payload).to_json();
        let line = r#"{"order":17,"from":"ana","message":"hola","#;
        assert_eq!(json(b"ana", b"hola"), format!("{line}{REST}"));
        let line = r#"{"order":17,"from":"ana","message":"\"\n\u001b\\","#;
        assert_eq!(json(b"ana", b"\"\n\x1b\\"), format!("{line}{REST}"));
        let line = r#"{"order":17,"from_base64":"YW7h","message_base64":"//4=","#;
        assert_eq!(json(b"an\xe1", b"\xff\xfe"), format!("{line}{REST}"));
        let notice = Message {
            is_notice: true,
            ..message(b"Server", b"ana has joined the net")
        };
        assert!(notice.to_json().ends_with(r#","kind":"notice"}"#));
    }

    #[test]
    fn json_does_nothing_to_a_terminal_and_keeps_every_character() {
        let text = "\u{9b}2J\x7f\u{202e}\u{2028}\u{1f468}\u{200d}\u{1f469} \\u";
        let line = message(b"ana", text.as_bytes()).to_json();
        assert!(line.contains(r"\u009b2J\u007f\u202e\u2028"), "{line}");
        assert!(!line.contains(is_active), "{line}");
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["message"], text);
    }
}
