//! The tables of bytes and fields.

use std::ops::Range;

use orden::wire::record::Flags;
use orden::wire::{batch, binary, native, record, reply, sessions};

use crate::protocol_document::table;

/// Compares a layout: the document's rows `| 4..8 | name |` with the code's fields.
fn layout(heading: &str, column: &str, fields: &[(&str, Range<usize>)], end: usize) {
    let mut expected: Vec<_> = fields
        .iter()
        .map(|(name, field)| {
            (
                format!("{}..{}", field.start, field.end),
                (*name).to_owned(),
            )
        })
        .collect();
    let rows = table(heading, column).into_iter();
    let found: Vec<_> = rows.map(|row| (row[0].clone(), row[1].clone())).collect();
    if let Some((open, name)) = found.last().filter(|(bytes, _)| bytes.ends_with("..")) {
        expected.push((format!("{end}.."), name.clone()));
        assert_eq!(
            *open,
            format!("{end}.."),
            "{heading}: where the rest begins"
        );
    }
    assert_eq!(found, expected, "{heading}");
    assert_eq!(
        fields.last().map(|(_, field)| field.end),
        Some(end),
        "{heading}: its length"
    );
}

#[test]
fn the_fixed_layout() {
    use binary::field::{FLAG, ORDER};
    let fields = [("order number", ORDER), ("ACK flag", FLAG)];
    layout("Binary", "bytes", &fields, binary::HEADER_LEN);
}

#[test]
fn the_layouts_of_peers_frames() {
    use native::field::{KIND, MAGIC, OPTIONS, VERSION, ack, hello, publish};
    let prefix = [
        ("magic", MAGIC),
        ("version", VERSION),
        ("kind", KIND),
        ("options", OPTIONS),
    ];
    layout("Every frame", "bytes", &prefix, native::PREFIX_LEN);
    let fields = [
        ("start", hello::START),
        ("reserved", hello::RESERVED),
        ("name length", hello::NAME_LENGTH),
        ("number", hello::NUMBER),
        ("log id", hello::LOG_ID),
    ];
    layout("Hello", "bytes", &fields, native::HELLO_LEN);
    let fields = [("life", hello::LIFE), ("attempt", hello::ATTEMPT)];
    layout("Hello", "behind the name", &fields, native::ATTEMPT_LEN);
    let fields = [
        ("count", publish::COUNT),
        ("first client sequence", publish::SEQUENCE),
    ];
    layout("Publish", "bytes", &fields, native::PUBLISH_LEN);
    let fields = [("reserved", ack::RESERVED), ("order number", ack::ORDER)];
    layout("ACK", "bytes", &fields, native::ACK_LEN);
}

#[test]
fn the_layouts_of_the_brokers_frames() {
    use reply::field::{confirm, refusal, welcome};
    let fields = [
        ("epoch", welcome::EPOCH),
        ("log id", welcome::LOG_ID),
        ("begin", welcome::BEGIN),
        ("end", welcome::END),
        ("last client sequence", welcome::LAST_SEQUENCE),
        ("publish window", welcome::PUBLISH_WINDOW),
        ("largest message", welcome::LARGEST_MESSAGE),
    ];
    layout("Welcome", "bytes", &fields, reply::WELCOME_LEN);
    layout(
        "Confirm",
        "bytes",
        &[("count", confirm::COUNT)],
        reply::CONFIRM_LEN,
    );
    let fields = [
        ("client sequence", sessions::run_field::SEQUENCE),
        ("order number", sessions::run_field::ORDER),
        ("count", sessions::run_field::COUNT),
    ];
    layout("Confirm", "run", &fields, sessions::RUN_LEN);
    let fields = [
        ("code", refusal::CODE),
        ("text length", refusal::TEXT_LENGTH),
        ("detail", refusal::DETAIL),
    ];
    layout("Refusal", "bytes", &fields, reply::REFUSAL_LEN);
}

#[test]
fn the_layouts_of_messages() {
    use batch::field as batch_field;
    use record::field as record_field;
    let fields = [
        ("magic", batch_field::MAGIC),
        ("version", batch_field::VERSION),
        ("kind", batch_field::KIND),
        ("reserved", batch_field::RESERVED),
        ("length", batch_field::LENGTH),
        ("checksum", batch_field::CHECKSUM),
        ("count", batch_field::COUNT),
        ("first", batch_field::FIRST),
        ("durable", batch_field::FIRST_AGAIN),
        ("log id", batch_field::LOG_ID),
        ("epoch", batch_field::EPOCH),
        ("body checksum", batch_field::BODY_CHECKSUM),
    ];
    layout("Messages", "batch", &fields, batch::HEADER_LEN);
    let fields = [
        ("length", record_field::LENGTH),
        ("checksum", record_field::CHECKSUM),
        ("order number", record_field::ORDER),
        ("client sequence", record_field::CLIENT_SEQUENCE),
        ("time", record_field::TIME),
        ("flags", record_field::FLAGS),
        ("name length", record_field::NAME_LENGTH),
        ("reserved", record_field::RESERVED),
    ];
    layout("Messages", "record", &fields, record::HEADER_LEN);
    assert_eq!((Flags::NOTICE, Flags::VERBATIM), (Flags(1), Flags(2)));
}
