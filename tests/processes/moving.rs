//! An order that moves: from a broker that was alone to several, and to a new stream when the old
//! one is not to be believed. Real brokers and NATS servers.

use std::fs;
use std::path::Path;

use orden_kit::poll;
use orden_kit::programs::broker::{Broker, command, run};
use orden_kit::programs::client;
use orden_kit::programs::nats::NatsServers;

fn place(servers: &NatsServers) -> Vec<String> {
    vec![
        "--cluster".into(),
        servers.urls().join(","),
        "--insecure-single-copy".into(),
    ]
}

fn start(servers: &NatsServers, name: &str, more: &[&str]) -> Broker {
    let place = place(servers);
    let mut flags: Vec<&str> = place.iter().map(String::as_str).collect();
    flags.extend(["--broker-name", name]);
    flags.extend(more);
    Broker::start(&flags)
}

/// Does something about the stream, which must succeed; what it says.
fn stream(servers: &NatsServers, what: &[&str]) -> String {
    let end = run(command().arg("stream").args(what).args(place(servers)));
    assert!(end.success(), "{}", end.complaint);
    end.lines.join("\n")
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

/// So many messages and notices, as a broker gives them to a member.
fn read(broker: &Broker, name: &str, from: &str, count: usize) -> Vec<String> {
    let count = count.to_string();
    let arguments = [
        "--name", name, "--from", from, "--format", "json", "--count", &count,
    ];
    let end = client::start(broker.endpoint(), &arguments).end();
    assert!(end.success(), "{}", end.complaint);
    end.lines
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a plain path")
}

/// A single broker's log becomes a cluster's: the same numbers and sessions, at all brokers, and
/// it serves alone no more.
#[test]
fn the_log_of_one_broker_becomes_the_order_of_several() {
    let alone = Broker::start(&[]);
    say(&alone, "ana", &["one", "two"]);
    let seen = read(&alone, "bea", "start", 4);
    say(&alone, "ana", &["three"]);
    let alone = alone.finish();
    let data = path(alone.data());

    let servers = NatsServers::start(1);
    let said = stream(&servers, &["create", "--from", data]);
    assert!(said.contains("goes on at 5"), "{said}");
    let end = run(command().args(["--address", "127.0.0.1:0", "--data", data]));
    assert_eq!(end.code(), Some(1), "{}", end.complaint);
    let again = ["stream", "create", "--from", data];
    let end = run(command().args(again).args(place(&servers)));
    assert_eq!(end.code(), Some(1), "{}", end.complaint);

    let first = start(&servers, "a", &["--data", data]);
    let second = start(&servers, "b", &[]);
    say(&second, "ana", &["four"]); // its session, and the next of its numbers
    assert_eq!(read(&first, "cho", "start", 4), seen, "what was before");
    let rest = read(&first, "bea", "now", 2); // it has had four
    assert!(
        rest[0].contains("three") && rest[0].contains("\"order\":4"),
        "{rest:?}"
    );
    assert!(
        rest[1].contains("four") && rest[1].contains("\"order\":5"),
        "{rest:?}"
    );
    assert_eq!(read(&second, "dan", "5", 1), rest[1..]);
    second.finish();
    first.finish();
}

/// The stream loses what brokers have applied: all of them stop, and its order goes on in a new
/// one from the longest journal.
#[test]
fn an_order_goes_on_in_a_new_stream_when_histories_differ() {
    let mut servers = NatsServers::start(1);
    stream(&servers, &["create"]);
    let (first, second) = (start(&servers, "a", &[]), start(&servers, "b", &[]));
    say(&first, "ana", &["one"]);
    servers.kill(0);
    let (store, old) = (
        servers.directory().join("n0"),
        servers.directory().join("old"),
    );
    let copied = std::process::Command::new("cp")
        .args(["-r", path(&store), path(&old)])
        .status();
    assert!(copied.expect("cp").success());
    servers.restart(0);
    say(&second, "ana", &["two", "three"]);
    let seen = read(&first, "bea", "start", 5);
    assert_eq!(read(&second, "cho", "start", 5), seen);

    servers.kill(0);
    fs::remove_dir_all(&store).expect("the servers' files");
    fs::rename(&old, &store).expect("the servers' files");
    servers.restart(0);
    let ((one, first), (two, second)) = (first.end(), second.end());
    for end in [one, two] {
        assert_eq!(end.code(), Some(2), "{}", end.complaint);
        assert!(end.complaint.contains("two histories"), "{}", end.complaint);
    }
    let end = run(&mut first.command());
    assert_eq!(end.code(), Some(2), "it stays so: {}", end.complaint);

    let said = stream(&servers, &["reseed", "--data", path(first.data())]);
    assert!(said.contains("goes on at 6"), "{said}");
    let end = run(&mut second.command());
    assert_eq!(end.code(), Some(2), "{}", end.complaint);
    assert!(
        end.complaint.contains("earlier stream"),
        "{}",
        end.complaint
    );
    let first = first.start();
    let second = start(&servers, "b", &[]);
    say(&second, "ana", &["four"]);
    let all = read(&first, "dan", "start", 8);
    assert_eq!(all[..5], seen, "the numbers that members have seen stay");
    assert!(all[6].contains("four"), "{all:?}");
    let work = ["stream", "reseed", "--data", path(second.data())];
    let end = run(command().args(work).args(place(&servers)));
    assert_ne!(
        end.code(),
        Some(0),
        "a broker that serves has its journal open"
    );
    second.finish();
    first.finish();
}

/// The first position that the stream holds.
fn first(servers: &NatsServers) -> u64 {
    let info = servers.ask("$JS.API.STREAM.INFO.orden_orden", "");
    let first = info.and_then(|info| info["state"]["first_seq"].as_u64());
    first.unwrap_or(0)
}

/// Snapshots in the stream replace what lies before: a broker without a journal begins with one,
/// and one that was stopped for too long says so.
#[test]
fn a_broker_without_a_journal_joins_when_the_beginning_of_the_stream_is_gone() {
    let servers = NatsServers::start(1);
    stream(&servers, &["create", "--snapshot-bytes", "4096"]);
    let keep = ["--stream-keep-bytes", "20000"];
    let (one, two) = (start(&servers, "a", &keep), start(&servers, "b", &keep));
    say(&one, "ana", &["one"]);
    let behind = two.kill();
    let text = "x".repeat(500);
    let lines: Vec<_> = (0..200).map(|number| format!("{number} {text}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for lines in lines.chunks(20) {
        say(&one, "ana", lines);
    }
    // The broker that was killed is waited for until it counts as gone.
    poll(
        || (first(&servers) > 1).then_some(()),
        "the stream forgets its beginning",
    );
    let end = run(&mut behind.command());
    assert_eq!(end.code(), Some(2), "{}", end.complaint);
    assert!(
        end.complaint.contains("the stream begins at"),
        "{}",
        end.complaint
    );

    let three = start(&servers, "c", &keep);
    say(&three, "ana", &["two"]); // it knows her session, and which of her numbers is the next
    let last = read(&three, "bea", "last:3", 3);
    assert_eq!(read(&one, "cho", "last:4", 3), last);
    assert!(last[2].contains("\"message\":\"two\""), "{last:?}");
    three.finish();
    one.finish();
}
