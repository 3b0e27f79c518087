//! The three dialects that are fixed: fields to bytes and back.

use orden::wire::raw::{self, Splitter};
use orden::wire::rendering::Fidelity;
use orden::wire::{Acked, ClientMessage, DecodeError, OrderNumber, binary, json};
use serde_json::{Value, json};

use super::{Codec, Read, Side, bytes, number, shown};

pub(super) const BINARY: Codec = Codec {
    encode: |side, kind, fields| {
        if kind == "ack" {
            return Some(binary::encode_ack(acked(fields)).to_vec());
        }
        let mut frame = Vec::new();
        let payload = bytes(&fields["payload"]);
        binary::encode_message(order(side, fields), [&payload, b"", b""], &mut frame);
        Some(frame)
    },
    decode: |side, frame| match side {
        Side::Peer => binary::decode(frame).map(heard),
        Side::Broker => binary::decode_delivery(frame).map(delivered),
    },
};

pub(super) const JSON: Codec = Codec {
    encode: |side, kind, fields| {
        if kind == "ack" {
            return Some(json::encode_ack(acked(fields)));
        }
        let mut frame = Vec::new();
        let payload = bytes(&fields["payload"]);
        let told = json::encode_message(order(side, fields), [&payload, b"", b""], &mut frame);
        (told == Fidelity::Exact).then_some(frame)
    },
    decode: |side, frame| match side {
        Side::Peer => json::decode(frame).map(heard),
        Side::Broker => json::decode_delivery(frame)
            .map(|(order, payload)| delivered((order, payload.as_bytes()))),
    },
};

pub(super) const PLAIN_TCP: Codec = Codec {
    encode: |side, kind, fields| {
        if kind == "stream" {
            let messages = fields["messages"].as_array()?.iter();
            return Some(messages.flat_map(sent).collect());
        }
        let mut frame = Vec::new();
        let payload = bytes(&fields["payload"]);
        let told = raw::encode_message(order(side, fields), [&payload, b"", b""], &mut frame);
        (told == Fidelity::Exact).then_some(frame)
    },
    decode: |side, bytes| match side {
        Side::Peer => stream(bytes),
        Side::Broker => binary::decode_delivery(bytes).map(delivered),
    },
};

fn acked(fields: &Value) -> Acked {
    match fields["number"].as_i64() {
        Some(-1) => Acked::Nothing,
        _ => Acked::UpTo(OrderNumber(number(fields, "number"))),
    }
}

/// A peer cannot know the number of its message, and writes 0.
fn order(side: Side, fields: &Value) -> OrderNumber {
    OrderNumber(match side {
        Side::Peer => 0,
        Side::Broker => number(fields, "number"),
    })
}

fn acked_number(acked: Acked) -> Value {
    match acked {
        Acked::Nothing => json!(-1),
        Acked::UpTo(order) => json!(order.0),
    }
}

fn heard(message: ClientMessage) -> (String, Value) {
    match message {
        ClientMessage::Text(payload) => {
            ("message".to_owned(), json!({ "payload": shown(&payload) }))
        }
        ClientMessage::Ack(acked) => ("ack".to_owned(), json!({ "number": acked_number(acked) })),
        other => panic!("no fixed dialect says {other:?}"),
    }
}

fn delivered((order, payload): (OrderNumber, &[u8])) -> (String, Value) {
    let fields = json!({ "number": order.0, "payload": shown(payload) });
    ("message".to_owned(), fields)
}

/// One send of a peer on plain TCP: a text, or an ACK.
fn sent(message: &Value) -> Vec<u8> {
    match message.get("ack") {
        Some(order) => binary::encode_ack(acked(&json!({ "number": order }))).to_vec(),
        None => (BINARY.encode)(Side::Peer, "message", message).expect("a payload"),
    }
}

fn stream(bytes: &[u8]) -> Read {
    let mut splitter = Splitter::new();
    splitter.feed(bytes);
    let mut messages = Vec::new();
    while let Some(frame) = splitter.next_frame() {
        messages.push(match binary::decode(frame?)? {
            ClientMessage::Text(payload) => json!({ "payload": shown(&payload) }),
            ClientMessage::Ack(acked) => json!({ "ack": acked_number(acked) }),
            _ => return Err(DecodeError::UnexpectedKind),
        });
    }
    splitter.finish()?;
    Ok(("stream".to_owned(), json!({ "messages": messages })))
}
