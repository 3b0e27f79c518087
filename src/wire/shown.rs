//! What others have sent, as it may be shown: to a person without rewriting the screen, to a
//! program without losing a byte.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;

use super::record::Record;

/// Bytes as text for a screen: what is not UTF-8 is replaced, control characters are escaped, so
/// that nobody rewrites another's screen or forges a line.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a [u8]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in String::from_utf8_lossy(self.0).chars() {
            if c.is_control() || is_reordering(c) {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

/// Marks that change the direction of the text around them ("Trojan Source", Boucher and
/// Anderson, 2021).
fn is_reordering(c: char) -> bool {
    matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

/// A record as a line of text: `17 ana: hola`. The sender always stands there, also before a
/// payload that names somebody itself: nobody speaks in another's name.
#[must_use]
pub fn text_line(record: &Record<'_>) -> String {
    let (sender, payload) = (Shown(record.sender), Shown(record.payload));
    format!("{} {sender}: {payload}", record.order)
}

/// A record as a line of JSON: `{"order":17,"from":"ana","message":"hola"}`, with
/// `message_base64` for a payload that is not UTF-8.
///
/// # Panics
/// Never: numbers and text are always JSON.
#[must_use]
pub fn json_line(record: &Record<'_>) -> String {
    let text = str::from_utf8(record.payload).ok();
    let line = JsonLine {
        order: record.order.0,
        from: &String::from_utf8_lossy(record.sender),
        message: text,
        message_base64: text.is_none().then(|| BASE64.encode(record.payload)),
    };
    serde_json::to_string(&line).expect("numbers and text are always JSON")
}

#[derive(Serialize)]
struct JsonLine<'a> {
    order: u64,
    from: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_base64: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::record::Flags;
    use crate::wire::{ClientSequence, OrderNumber};

    fn record<'a>(sender: &'a [u8], payload: &'a [u8], flags: Flags) -> Record<'a> {
        Record {
            order: OrderNumber(17),
            client_sequence: ClientSequence::NONE,
            time: 0,
            flags,
            sender,
            payload,
        }
    }

    #[test]
    fn a_line_has_number_sender_and_message() {
        let hola = record(b"ana", b"hola", Flags::default());
        assert_eq!(text_line(&hola), "17 ana: hola");
        assert_eq!(
            json_line(&hola),
            r#"{"order":17,"from":"ana","message":"hola"}"#
        );
    }

    #[test]
    fn nobody_speaks_in_anothers_name() {
        let whole = record(b"guest-1", b"juan: hola", Flags::VERBATIM);
        assert_eq!(text_line(&whole), "17 guest-1: juan: hola");
        let line = r#"{"order":17,"from":"guest-1","message":"juan: hola"}"#;
        assert_eq!(json_line(&whole), line);
    }

    #[test]
    fn nobody_rewrites_a_screen() {
        let hostile = record(b"a\x1b[2Jna", b"x\n18 ana: forged\r\x07", Flags::default());
        assert_eq!(
            text_line(&hostile),
            r"17 a\u{1b}[2Jna: x\n18 ana: forged\r\u{7}"
        );
        let turned = "abc\u{202E}cba".as_bytes();
        assert_eq!(Shown(turned).to_string(), r"abc\u{202e}cba");
    }

    #[test]
    fn what_is_not_text_reaches_programs_whole() {
        let bytes = record(b"ana", b"\xff\x00", Flags::default());
        assert_eq!(
            json_line(&bytes),
            r#"{"order":17,"from":"ana","message_base64":"/wA="}"#
        );
    }
}
