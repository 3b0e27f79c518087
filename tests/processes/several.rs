//! Real brokers that share one order over real NATS servers.

use std::path::Path;

use orden::core::Recovered;
use orden::store::{self, LogReader};
use orden::wire::OrderNumber;
use orden::wire::batch::Header;

use orden_kit::programs::broker::{Broker, command, run};
use orden_kit::programs::client;
use orden_kit::programs::nats::NatsServers;

/// What every command is told of the servers.
fn place(servers: &NatsServers) -> Vec<String> {
    vec![
        "--cluster".into(),
        servers.urls().join(","),
        "--insecure-single-copy".into(),
    ]
}

fn create(servers: &NatsServers) {
    let end = run(command().args(["stream", "create"]).args(place(servers)));
    assert!(end.success(), "{}", end.complaint);
}

fn start(servers: &NatsServers, name: &str) -> Broker {
    let place = place(servers);
    let mut flags: Vec<&str> = place.iter().map(String::as_str).collect();
    flags.extend(["--broker-name", name]);
    Broker::start(&flags)
}

/// Says these lines under a name at a broker, until each is confirmed.
fn say(broker: &Broker, name: &str, lines: &[&str]) {
    let mut program = client::start(broker.endpoint(), &["--name", name, "--from", "now"]);
    for line in lines {
        program.tell(line);
    }
    let end = program.end();
    assert!(end.success(), "{}", end.complaint);
}

/// The first messages and notices, as a broker gives them to a new member.
fn read(broker: &Broker, name: &str, count: usize) -> Vec<String> {
    let count_text = count.to_string();
    let arguments = [
        "--name",
        name,
        "--from",
        "start",
        "--format",
        "json",
        "--count",
        &count_text,
    ];
    let end = client::start(broker.endpoint(), &arguments).end();
    assert!(end.success(), "{}", end.complaint);
    assert_eq!(end.lines.len(), count);
    end.lines
}

/// The bytes of all batches of messages up to a number, and what else a journal says.
fn journal(directory: &Path, end: OrderNumber) -> (Vec<u8>, Recovered) {
    let mut options = store::Options::new(directory);
    options.positions = true;
    let opened = store::open(&options).expect("a whole journal");
    let bytes = batches(opened.log.reader(), end);
    (bytes, opened.recovered)
}

fn batches(mut reader: Box<dyn LogReader>, end: OrderNumber) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut at = OrderNumber(0);
    while at < end {
        let chunk = reader.read(at).expect("it can be read");
        let mut rest = &chunk.bytes()[..];
        while let Ok(header) = Header::decode(rest) {
            let (batch, after) = rest.split_at(header.length);
            if header.first == at && at < end {
                bytes.extend_from_slice(batch);
                at = header.end();
            }
            rest = after;
        }
    }
    bytes
}

/// Both give one order under the same numbers; one is killed and comes back; a session goes on at
/// the other broker; the journals hold the same bytes.
#[test]
fn two_brokers_give_one_order() {
    let servers = NatsServers::start(1);
    create(&servers);
    create(&servers); // it changes nothing
    let (first, second) = (start(&servers, "a"), start(&servers, "b"));
    say(&first, "ana", &["one", "two"]);
    say(&second, "bea", &["three"]);
    // 0 and 3 are the notices of their joining.
    let seen = read(&first, "reader-a", 5);
    assert_eq!(read(&second, "reader-b", 5), seen);
    let first = first.kill();
    say(&second, "ana", &["four"]);
    let first = first.start();
    say(&first, "bea", &["five"]);
    let seen = read(&first, "reader-c", 9);
    assert_eq!(read(&second, "reader-d", 9), seen);
    for text in ["one", "two", "three", "four", "five"] {
        let said = format!("\"message\":\"{text}\"");
        let count = seen.iter().filter(|line| line.contains(&said)).count();
        assert_eq!(count, 1, "{text} in {seen:?}");
    }
    let (first, second) = (first.finish(), second.finish());
    let end = OrderNumber(9);
    let (ours, of_first) = journal(first.data(), end);
    let (theirs, of_second) = journal(second.data(), end);
    assert!(ours == theirs, "the journals differ");
    assert_eq!(of_first.log_id, of_second.log_id);
}

/// The journal of one of several brokers goes on with its own stream, and with no other.
#[test]
fn a_journal_goes_on_with_its_own_stream_only() {
    let servers = NatsServers::start(1);
    create(&servers);
    let broker = start(&servers, "a");
    say(&broker, "ana", &["one"]);
    let stopped = broker.finish();
    let data = stopped.data().to_str().expect("a plain path");
    let serve = ["--address", "127.0.0.1:0", "--data", data];
    let end = run(command().args(serve));
    assert_eq!(end.code(), Some(1), "{}", end.complaint);
    assert!(end.complaint.contains("--cluster"), "{}", end.complaint);
    let other = NatsServers::start(1);
    create(&other);
    let end = run(command().args(serve).args(place(&other)));
    assert_eq!(end.code(), Some(2), "{}", end.complaint);
    assert!(end.complaint.contains("journal"), "{}", end.complaint);
}

/// The newer broker of a name takes over, and the older says so.
#[test]
fn the_newer_broker_of_a_name_takes_over() {
    let servers = NatsServers::start(1);
    create(&servers);
    let older = start(&servers, "a");
    let newer = start(&servers, "a");
    let (end, _) = older.end();
    assert_eq!(end.code(), Some(3), "{}", end.complaint);
    assert!(end.complaint.contains("taken over"), "{}", end.complaint);
    say(&newer, "ana", &["one"]);
    newer.finish();
}
