//! The native dialect: fields to bytes and back.

use orden::wire::batch::{self, Header, Kind};
use orden::wire::native::{self, Attempt, Goodbye, Hello, PublishFrame, Start};
use orden::wire::record::{Flags, Record};
use orden::wire::reply::{self, BrokerMessage, Code, Refusal, Welcome};
use orden::wire::sessions::SequenceRun;
use orden::wire::{
    Acked, ClientMessage, ClientSequence, DecodeError, Epoch, LogId, Name, OrderNumber,
};
use serde_json::{Value, json};

use super::{Codec, Read, Side, bytes, flag, number, shown};

pub(super) const STARTS: &[&str] = &["now", "beginning", "at", "last", "resume"];

pub(super) const NATIVE: Codec = Codec {
    encode: |side, kind, fields| match (side, kind) {
        (Side::Peer, "hello") => Some(hello(fields).encode()),
        (Side::Peer, "publish") => Some(publish(fields)),
        (Side::Peer, "ack") => Some(native::ack(OrderNumber(number(fields, "number")))),
        (Side::Peer, "goodbye") if flag(fields, "stay") => Some(Goodbye::Away.encode()),
        (_, "goodbye") => Some(Goodbye::Leave.encode()),
        (_, "ping") => Some(native::ping()),
        (_, "pong") => Some(native::pong()),
        (Side::Broker, "welcome") => Some(welcome(fields).encode()),
        (Side::Broker, "confirm") => Some(reply::confirm(&runs(fields))),
        (Side::Broker, "refusal") => Some(refusal(fields)),
        (Side::Broker, "messages") => Some(messages(fields)),
        _ => None,
    },
    decode: |side, frame| match side {
        Side::Peer => native::decode(frame).map(heard),
        Side::Broker => answered(frame),
    },
};

fn narrow(fields: &Value, name: &str) -> u32 {
    u32::try_from(number(fields, name)).expect("32 bits")
}

fn hello(fields: &Value) -> Hello {
    let order = OrderNumber(number(fields, "number"));
    let start = match fields["start"].as_str().expect("a start") {
        "now" => Start::Now,
        "beginning" => Start::Beginning,
        "at" => Start::At(order),
        "last" => Start::Last(order.0),
        "resume" => Start::Resume(order),
        other => panic!("no start is called {other}"),
    };
    Hello {
        name: Name::new(&bytes(&fields["name"])).expect("a name"),
        start,
        receive: flag(fields, "receive"),
        observe: fields.get("observe").is_some(),
        log_id: LogId(number(fields, "log_id")),
        attempt: fields.get("attempt").map(|attempt| Attempt {
            life: number(attempt, "life"),
            number: narrow(attempt, "number"),
        }),
    }
}

fn publish(fields: &Value) -> Vec<u8> {
    let mut frame = PublishFrame::new(ClientSequence(number(fields, "first")));
    for payload in fields["payloads"].as_array().expect("payloads") {
        frame.push(&bytes(payload));
    }
    frame.finish()
}

fn welcome(fields: &Value) -> Welcome {
    Welcome {
        resumed: flag(fields, "resumed"),
        epoch: Epoch(narrow(fields, "epoch")),
        log_id: LogId(number(fields, "log_id")),
        begin: OrderNumber(number(fields, "begin")),
        end: OrderNumber(number(fields, "end")),
        last_sequence: ClientSequence(number(fields, "last_sequence")),
        publish_window: narrow(fields, "publish_window"),
        largest_message: narrow(fields, "largest_message"),
    }
}

fn runs(fields: &Value) -> Vec<SequenceRun> {
    let run = |run: &Value| SequenceRun {
        sequence: ClientSequence(number(run, "sequence")),
        order: OrderNumber(number(run, "order")),
        count: narrow(run, "count"),
    };
    fields["runs"]
        .as_array()
        .expect("runs")
        .iter()
        .map(run)
        .collect()
}

fn refusal(fields: &Value) -> Vec<u8> {
    let code = number(fields, "code");
    let known = Code::ALL.iter().copied();
    let mut known = known.filter(|known| u64::from(known.number()) == code);
    let refusal = Refusal {
        code: known.next().expect("a code that this program knows"),
        detail: number(fields, "detail"),
        text: fields["text"].as_str().expect("text"),
    };
    refusal.encode()
}

fn messages(fields: &Value) -> Vec<u8> {
    let batches = fields["batches"].as_array().expect("batches");
    batches.iter().flat_map(batch_of).collect()
}

fn batch_of(fields: &Value) -> Vec<u8> {
    let mut batch = vec![0; batch::HEADER_LEN];
    let records = fields["records"].as_array().expect("records");
    for record in records {
        let notice = u8::from(flag(record, "notice")) * Flags::NOTICE.0;
        let verbatim = u8::from(flag(record, "verbatim")) * Flags::VERBATIM.0;
        let record = Record {
            order: OrderNumber(number(record, "order")),
            client_sequence: ClientSequence(number(record, "client_sequence")),
            time: number(record, "time"),
            flags: Flags(notice | verbatim),
            sender: &bytes(&record["sender"]),
            payload: &bytes(&record["text"]),
        };
        record.encode(&mut batch);
    }
    let header = Header {
        kind: Kind::Messages,
        length: 0,
        count: u32::try_from(records.len()).expect("a few"),
        first: OrderNumber(number(&records[0], "order")),
        log_id: LogId(number(fields, "log_id")),
        epoch: Epoch(narrow(fields, "epoch")),
        body_checksum: 0,
    };
    header.seal(&mut batch);
    batch
}

fn heard(message: ClientMessage) -> (String, Value) {
    let (kind, fields) = match message {
        ClientMessage::Hello(hello) => ("hello", hello_fields(&hello)),
        ClientMessage::Publish(publish) => {
            let payloads: Vec<_> = publish.payloads().map(shown).collect();
            let fields = json!({ "first": publish.first.0, "payloads": payloads });
            ("publish", fields)
        }
        ClientMessage::Ack(Acked::UpTo(order)) => ("ack", json!({ "number": order.0 })),
        ClientMessage::Goodbye(goodbye) => ("goodbye", json!({ "stay": goodbye == Goodbye::Away })),
        ClientMessage::Ping => ("ping", json!({})),
        ClientMessage::Pong => ("pong", json!({})),
        other => panic!("no native peer says {other:?}"),
    };
    (kind.to_owned(), fields)
}

fn hello_fields(hello: &Hello) -> Value {
    let (start, number) = match hello.start {
        Start::Now => ("now", 0),
        Start::Beginning => ("beginning", 0),
        Start::At(order) => ("at", order.0),
        Start::Last(count) => ("last", count),
        Start::Resume(order) => ("resume", order.0),
    };
    let mut fields = json!({
        "name": shown(hello.name.as_bytes()),
        "start": start,
        "number": number,
        "receive": hello.receive,
        "log_id": hello.log_id.0,
    });
    if hello.observe {
        fields["observe"] = json!(true);
    }
    if let Some(attempt) = hello.attempt {
        fields["attempt"] = json!({ "life": attempt.life, "number": attempt.number });
    }
    fields
}

fn answered(frame: &[u8]) -> Read {
    let (kind, fields) = match reply::decode(frame)? {
        BrokerMessage::Messages(batches) => ("messages", batches_fields(batches)?),
        BrokerMessage::Welcome(welcome) => ("welcome", welcome_fields(&welcome)),
        BrokerMessage::Confirm(runs) => {
            let run = |run: &SequenceRun| {
                let (sequence, order, count) = (run.sequence.0, run.order.0, run.count);
                json!({ "sequence": sequence, "order": order, "count": count })
            };
            let runs: Vec<_> = runs.iter().map(run).collect();
            ("confirm", json!({ "runs": runs }))
        }
        BrokerMessage::Refusal(refusal) => {
            let Refusal { code, detail, text } = refusal;
            let fields = json!({ "code": code.number(), "detail": detail, "text": text });
            ("refusal", fields)
        }
        BrokerMessage::Goodbye => ("goodbye", json!({})),
        BrokerMessage::Ping => ("ping", json!({})),
        BrokerMessage::Pong => ("pong", json!({})),
    };
    Ok((kind.to_owned(), fields))
}

fn welcome_fields(welcome: &Welcome) -> Value {
    json!({
        "resumed": welcome.resumed,
        "epoch": welcome.epoch.0,
        "log_id": welcome.log_id.0,
        "begin": welcome.begin.0,
        "end": welcome.end.0,
        "last_sequence": welcome.last_sequence.0,
        "publish_window": welcome.publish_window,
        "largest_message": welcome.largest_message,
    })
}

fn batches_fields(mut frame: &[u8]) -> Result<Value, DecodeError> {
    let mut batches = Vec::new();
    while !frame.is_empty() {
        let header = batch::verify(frame)?;
        let (batch, rest) = frame.split_at(header.length);
        let records: Result<Vec<_>, _> = batch::records(batch)
            .map(|record| record.map(|record| record_fields(&record)))
            .collect();
        let (log_id, epoch) = (header.log_id.0, header.epoch.0);
        batches.push(json!({ "log_id": log_id, "epoch": epoch, "records": records? }));
        frame = rest;
    }
    Ok(json!({ "batches": batches }))
}

fn record_fields(record: &Record) -> Value {
    json!({
        "order": record.order.0,
        "client_sequence": record.client_sequence.0,
        "time": record.time,
        "notice": record.flags.has(Flags::NOTICE),
        "verbatim": record.flags.has(Flags::VERBATIM),
        "sender": shown(record.sender),
        "text": shown(record.payload),
    })
}
