//! The JSON dialect: one frame with a UTF-8 object, as pyzmq's `send_json` writes it.
//!
//! ```text
//!  {"timeStamp": 17, "isACK": false, "message": "ana: hola"}
//! ```
//!
//! Keys may come in any order, unknown ones are ignored, the three known ones may come once:
//! of two, peers would not agree which counts. `message` may be missing on an ACK. Numbers are
//! read from their digits, so that one beyond 64 bits is refused rather than rounded.

use std::borrow::Cow;
use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::rendering::{Fidelity, Parts};
use super::{Acked, ClientMessage, DecodeError, OrderNumber, binary};

/// A frame as it is read: `time_stamp` still as text, since serde would round a long one.
#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow, rename = "timeStamp")]
    time_stamp: &'a RawValue,
    #[serde(rename = "isACK")]
    is_ack: bool,
    #[serde(borrow, default, deserialize_with = "present")]
    message: Option<Text<'a>>,
}

/// A string. JSON can write half of a surrogate pair, which no text has: `json.dumps` of Python
/// does so for bytes that are not UTF-8. It becomes U+FFFD, as such bytes do in other dialects.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(string: D) -> Result<Self, D::Error> {
        // As a string serde_json would refuse it; as bytes a half is three of them.
        string.deserialize_bytes(TextVisitor).map(Text)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_bytes<E>(self, bytes: &'de [u8]) -> Result<Self::Value, E> {
        Ok(match str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(without_halves(bytes)),
        })
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        let text = str::from_utf8(bytes).map(str::to_owned);
        Ok(Cow::Owned(text.unwrap_or_else(|_| without_halves(bytes))))
    }
}

/// Text in which each half of a surrogate pair, three bytes that begin with 0xED, is U+FFFD.
fn without_halves(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        // The other two bytes are chunks of their own.
        if chunk.invalid() == [0xED] {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    text
}

/// Reads a field that may be missing, but not `null`.
fn present<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Text<'de>>, D::Error> {
    Text::deserialize(field).map(Some)
}

impl<'a> Object<'a> {
    fn parse(frame: &'a [u8]) -> Result<Self, DecodeError> {
        let text = str::from_utf8(frame).map_err(|_| DecodeError::NotJson)?;
        // serde would take `[17, false, ""]` for the object, too.
        if !text.trim_start().starts_with('{') {
            return Err(DecodeError::NotJson);
        }
        serde_json::from_str(text).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => DecodeError::BadJsonFields,
            _ => DecodeError::NotJson,
        })
    }

    fn order(&self) -> Result<i128, DecodeError> {
        let digits = self.time_stamp.get();
        let number = digits.strip_prefix('-').unwrap_or(digits);
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(DecodeError::BadJsonFields);
        }
        match digits.parse() {
            Ok(order) if binary::in_range(order) => Ok(order),
            _ => Err(DecodeError::OrderOutOfRange),
        }
    }

    fn text(self) -> Result<Cow<'a, str>, DecodeError> {
        self.message
            .map(|Text(text)| text)
            .ok_or(DecodeError::BadJsonFields)
    }
}

/// Decodes one frame from a peer.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn decode(frame: &[u8]) -> Result<ClientMessage<'_>, DecodeError> {
    let object = Object::parse(frame)?;
    let order = object.order()?;
    if object.is_ack {
        return binary::acked(order).map(ClientMessage::Ack);
    }
    Ok(ClientMessage::Text(match object.text()? {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }))
}

/// Decodes one frame from the broker: a message and its place in the order.
///
/// # Errors
/// The first thing that is wrong with it; a broker sends no ACKs.
pub fn decode_delivery(frame: &[u8]) -> Result<(OrderNumber, Cow<'_, str>), DecodeError> {
    let object = Object::parse(frame)?;
    let order = u64::try_from(object.order()?).map_err(|_| DecodeError::OrderOutOfRange)?;
    if object.is_ack {
        return Err(DecodeError::UnexpectedKind);
    }
    Ok((OrderNumber(order), object.text()?))
}

/// A frame as it is written.
#[derive(Serialize)]
struct Frame<'a> {
    #[serde(rename = "timeStamp")]
    time_stamp: i128,
    #[serde(rename = "isACK")]
    is_ack: bool,
    message: Lossy<'a>,
}

/// Bytes as text, with U+FFFD in place of what is not UTF-8; each part by itself.
struct Lossy<'a>(Parts<'a>);

impl fmt::Display for Lossy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.iter().flat_map(|part| part.utf8_chunks()) {
            f.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                f.write_str("\u{FFFD}")?;
            }
        }
        Ok(())
    }
}

impl Serialize for Lossy<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Appends the frame of a message, and says whether a peer can read every byte of it.
///
/// A peer that publishes may give any number: the broker passes over it.
pub fn encode_message(order: OrderNumber, payload: Parts<'_>, into: &mut Vec<u8>) -> Fidelity {
    write(i128::from(order.0), false, payload, into);
    if payload.iter().all(|part| str::from_utf8(part).is_ok()) {
        Fidelity::Exact
    } else {
        Fidelity::Replaced
    }
}

/// The frame that acknowledges.
#[must_use]
pub fn encode_ack(acked: Acked) -> Vec<u8> {
    let mut frame = Vec::new();
    let number = match acked {
        Acked::Nothing => -1,
        Acked::UpTo(order) => i128::from(order.0),
    };
    write(number, true, [b"", b"", b""], &mut frame);
    frame
}

fn write(time_stamp: i128, is_ack: bool, payload: Parts<'_>, into: &mut Vec<u8>) {
    let message = Lossy(payload);
    let frame = Frame {
        time_stamp,
        is_ack,
        message,
    };
    serde_json::to_writer(into, &frame).expect("a vector takes every byte");
}

#[cfg(test)]
mod tests {
    use super::*;
    use DecodeError::{BadJsonFields, NotJson, OrderOutOfRange};

    fn text(text: &str) -> ClientMessage<'_> {
        ClientMessage::Text(text.as_bytes().into())
    }

    #[test]
    fn half_a_surrogate_pair_is_replaced() {
        let text = |escaped: &str| {
            let frame = format!(r#"{{"timeStamp":0,"isACK":false,"message":"{escaped}"}}"#);
            match decode(frame.as_bytes()).unwrap() {
                ClientMessage::Text(text) => String::from_utf8(text.into_owned()).unwrap(),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(text(r"caf\udce9 au lait"), "caf\u{fffd} au lait");
        assert_eq!(
            text(r"\ud83d\ud83d\ude00\ude00"),
            "\u{fffd}\u{1f600}\u{fffd}"
        );
        assert_eq!(text(r"\ud83d\ude00 ¿qué?"), "\u{1f600} ¿qué?");
    }

    #[test]
    fn a_message_is_as_the_protocol_shows_it() {
        let frame = br#"{"timeStamp": 17, "isACK": false, "message": "ana: hola"}"#;
        assert_eq!(decode(frame), Ok(text("ana: hola")));
        let delivery = decode_delivery(frame).unwrap();
        assert_eq!(delivery, (OrderNumber(17), "ana: hola".into()));
        let mut ours = b"before".to_vec();
        let parts: Parts = [b"ana", b": ", b"hola"];
        assert_eq!(
            encode_message(OrderNumber(17), parts, &mut ours),
            Fidelity::Exact
        );
        let compact = br#"before{"timeStamp":17,"isACK":false,"message":"ana: hola"}"#;
        assert_eq!(ours, compact);
    }

    #[test]
    fn keys_come_in_any_order_with_others_between() {
        let frame = br#" {"x":[{}],"message":"a\"\u00f1","x":1,"isACK":false,"timeStamp":-1} "#;
        assert_eq!(decode(frame), Ok(text("a\"ñ")));
    }

    #[test]
    fn an_ack_may_lack_its_message() {
        let ack = |number: &str, rest: &str| {
            let frame = format!(r#"{{"timeStamp":{number},"isACK":true{rest}}}"#);
            decode(frame.as_bytes()).map(|message| message == ClientMessage::Ack(Acked::Nothing))
        };
        assert_eq!(ack("-1", ""), Ok(true));
        assert_eq!(ack("-1", r#","message":"""#), Ok(true));
        assert_eq!(ack("18446744073709551615", ""), Ok(false));
        assert_eq!(ack("-1", r#","message":null"#), Err(BadJsonFields));
        assert_eq!(ack("-2", ""), Err(OrderOutOfRange));
    }

    #[test]
    fn numbers_beyond_64_bits_are_never_rounded() {
        let long = "9".repeat(5000);
        for (number, reason) in [
            ("18446744073709551616", OrderOutOfRange),
            ("18446744073709551621", OrderOutOfRange),
            ("-9223372036854775809", OrderOutOfRange),
            ("340282366920938463463374607431768211461", OrderOutOfRange),
            (&long, OrderOutOfRange),
            ("1.0", BadJsonFields),
            ("1e3", BadJsonFields),
            ("1e999999", BadJsonFields),
            ("\"17\"", BadJsonFields),
            ("true", BadJsonFields),
            ("null", BadJsonFields),
            ("[17]", BadJsonFields),
            ("017", NotJson),
            ("+17", NotJson),
            ("NaN", NotJson),
        ] {
            let frame = format!(r#"{{"timeStamp":{number},"isACK":false,"message":""}}"#);
            assert_eq!(decode(frame.as_bytes()), Err(reason), "{number}");
        }
    }

    #[test]
    fn what_is_not_the_object_is_refused() {
        for (frame, reason) in [
            (&b"["[..], NotJson),
            (b"[17,false,\"x\"]", NotJson),
            (b"17", NotJson),
            (b"{", NotJson),
            (b"{}", BadJsonFields),
            (b"{} x", BadJsonFields),
            (b"\xEF\xBB\xBF{}", NotJson),
            (
                b"{\"timeStamp\":0,\"isACK\":false,\"message\":\"\xC3\x28\"}",
                NotJson,
            ),
            (br#"{"timeStamp":0,"isACK":false,"message":"x"}{}"#, NotJson),
            (br#"{"timeStamp":0,"isACK":false}"#, BadJsonFields),
            (br#"{"timeStamp":0,"isACK":0,"message":"x"}"#, BadJsonFields),
            (
                br#"{"timeStamp":0,"isACK":false,"message":7}"#,
                BadJsonFields,
            ),
            (
                br#"{"timestamp":0,"isACK":false,"message":"x"}"#,
                BadJsonFields,
            ),
            (
                br#"{"timeStamp":0,"isACK":true,"isACK":true}"#,
                BadJsonFields,
            ),
            (
                br#"{"timeStamp":0,"timeStamp":1,"isACK":true}"#,
                BadJsonFields,
            ),
        ] {
            let shown = String::from_utf8_lossy(frame);
            assert_eq!(decode(frame), Err(reason), "{shown}");
            assert_eq!(decode_delivery(frame).unwrap_err(), reason, "{shown}");
        }
    }

    #[test]
    fn nesting_does_not_reach_the_stack() {
        let deep = "[".repeat(1_000_000);
        for key in ["x", "timeStamp", "isACK", "message"] {
            let frame = format!(r#"{{"{key}":{deep}"#);
            assert!(decode(frame.as_bytes()).is_err());
        }
        let closed = "]".repeat(1_000_000);
        let frame = format!(r#"{{"x":{deep}{closed},"timeStamp":0,"isACK":false,"message":"y"}}"#);
        assert_eq!(decode(frame.as_bytes()), Ok(text("y")));
    }

    #[test]
    fn bytes_that_are_not_text_are_replaced() {
        let mut frame = Vec::new();
        let parts: Parts = [b"an\xFFa", b": ", b"\xE2\x82 \"\n\0"];
        assert_eq!(
            encode_message(OrderNumber(0), parts, &mut frame),
            Fidelity::Replaced
        );
        let shown = decode_delivery(&frame).unwrap().1;
        assert_eq!(shown, "an\u{FFFD}a: \u{FFFD} \"\n\0");
    }

    #[test]
    fn acks_are_read_back() {
        assert_eq!(
            encode_ack(Acked::Nothing),
            br#"{"timeStamp":-1,"isACK":true,"message":""}"#
        );
        let most = Acked::UpTo(OrderNumber(u64::MAX));
        assert_eq!(decode(&encode_ack(most)), Ok(ClientMessage::Ack(most)));
        let refused = decode_delivery(&encode_ack(most)).unwrap_err();
        assert_eq!(refused, DecodeError::UnexpectedKind);
    }
}
