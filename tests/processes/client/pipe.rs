//! `orden-client` in pipes.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use orden::wire::native::Start;
use orden::wire::{ClientSequence, OrderNumber};
use rustix::process::Signal;
use serde_json::{Value, json};

use super::program::{Program, command};
use super::stage::{DEADLINE, Stage, pause, retry};

/// Everything that was ever said, with its number and sender.
pub(crate) fn everything(stage: &Stage) -> Vec<(OrderNumber, String, String)> {
    let mut options = stage.options("auditor");
    options.settings.start = Start::Beginning;
    let auditor = orden::Client::connect(options).unwrap();
    let end = auditor.publish_and_wait("the end").unwrap();
    let mut said = Vec::new();
    loop {
        let delivery = auditor.next_delivery(DEADLINE).unwrap().unwrap();
        if delivery.order == end {
            return said;
        }
        if !delivery.notice {
            let message = String::from_utf8(delivery.message).unwrap();
            said.push((delivery.order, delivery.from.to_string(), message));
        }
    }
}

#[test]
fn lines_go_in_and_numbered_lines_come_out() {
    let stage = Stage::new();
    let mut ben = Program::start(&stage.address, &["--name", "ben", "--count", "3"]);
    ben.tell("uno\n");
    assert_eq!(ben.line(), "1 ben: uno");
    let mut ana = Program::start(&stage.address, &["--name", "ana"]);
    ana.tell("dos\n\nlast without an end");
    let lines = ana.finish();
    assert_eq!(
        lines,
        ["3 ana: dos", "4 ana: ", "5 ana: last without an end"]
    );
    assert_eq!(ben.line(), "2 Server: ana has joined the net");
    assert_eq!(ben.line(), "3 ana: dos");
    assert_eq!(ben.finish(), [""; 0]);
}

#[test]
fn json_is_one_object_a_line() {
    let stage = Stage::new();
    let arguments = ["--name", "ana", "--format", "json"];
    let mut ana = Program::start(&stage.address, &arguments);
    let mut input = ana.take_input();
    input.write_all(b"\"hola\"\n\xff\xfe\n").unwrap();
    drop(input);
    let kind = "message";
    assert_eq!(
        ana.finish()
            .iter()
            .map(|line| timeless(line))
            .collect::<Vec<_>>(),
        [
            json!({"order": 1, "from": "ana", "message": "\"hola\"", "kind": kind}),
            json!({"order": 2, "from": "ana", "message_base64": "//4=", "kind": kind}),
        ]
    );
}

/// A line of JSON without its time, which must be one to the microsecond.
fn timeless(line: &str) -> Value {
    let mut message: Value = serde_json::from_str(line).unwrap();
    let time = message.as_object_mut().unwrap().remove("time").unwrap();
    let time = time.as_str().unwrap();
    assert!(
        time.starts_with("20") && time.ends_with('Z') && time.len() == 27,
        "{time}"
    );
    message
}

#[test]
fn where_deliveries_begin() {
    let stage = Stage::new();
    let mut ana = Program::start(&stage.address, &["--name", "ana"]);
    ana.tell("1\n2\n3\n");
    ana.finish();
    let first = |from: &str| {
        let arguments = ["--from", from, "--count", "1"];
        let lines = Program::start(&stage.address, &arguments).finish();
        lines[0].clone()
    };
    assert_eq!(first("start"), "0 Server: ana has joined the net");
    assert_eq!(first("2"), "2 ana: 2");
    assert!(first("last:1").contains("has left the net"));
}

#[test]
fn a_name_is_invented_and_told() {
    let stage = Stage::new();
    let mut nobody = Program::start(&stage.address, &["--count", "1"]);
    nobody.tell("hola\n");
    let end = nobody.end();
    let (name, told) = (end.lines[0].clone(), end.complaint);
    let name = name
        .strip_prefix("1 ")
        .unwrap()
        .strip_suffix(": hola")
        .unwrap();
    assert!(told.contains(&format!("this is {name}")), "{told}");
    assert!(name.starts_with("client-"));
}

#[test]
fn wrong_usage_is_told_clearly() {
    for (arguments, words) in [
        (&["--nonsense"][..], "--nonsense"),
        (&[], "--address"),
        (&["--address", "*:8081"], "name the one to connect to"),
        (&["--address", "nonsense"], "has no port"),
        (&["--address", "a\u{1}b:1"], "is no host"),
        (&["--address", ":1", "--name", ""], "cannot be empty"),
        (
            &["--address", ":1", "--name", &"x".repeat(256)],
            "255 bytes",
        ),
        (&["--address", ":1", "--resume"], "--name"),
    ] {
        let output = command(arguments).stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        let error = text.split("\n\n").next().unwrap();
        assert!(error.contains(words), "{text}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn the_environment_stands_for_flags() {
    let stage = Stage::new();
    let output = command(&["--name", "ana"])
        .env("ORDEN_ADDRESS", stage.address.to_string())
        .env("ORDEN_FROM", "start")
        .env("ORDEN_COUNT", "1")
        .env("ORDEN_FORMAT", "json")
        .env("ORDEN_LOG_LEVEL", "off")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    let notice = "ana has joined the net";
    let expected = json!({"order": 0, "from": "Server", "message": notice, "kind": "notice"});
    assert_eq!(timeless(&line), expected);
    assert!(output.stderr.is_empty());
}

/// Reads lines up to one that says this; returns them all.
fn until(program: &mut Program, text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        lines.push(program.line());
        if lines.last().unwrap().ends_with(&format!(": {text}")) {
            return lines;
        }
    }
}

#[test]
fn the_broker_goes_away_and_comes_back() {
    let mut stage = Stage::durable();
    let mut ana = Program::start(&stage.address, &["--name", "ana", "--follow"]);
    let mut ben = Program::start(
        &stage.address,
        &["--name", "ben", "--from", "start", "--follow"],
    );
    ana.tell("1\n");
    let mut seen = until(&mut ben, "1");
    for number in 2..=3 {
        stage.stop();
        ana.tell(&format!("{number}\n"));
        stage.start();
        seen.extend(until(&mut ben, &number.to_string()));
    }
    let orders = seen.iter().map(|line| line.split_once(' ').unwrap().0);
    let orders: Vec<usize> = orders.map(|order| order.parse().unwrap()).collect();
    assert!(orders.iter().copied().eq(0..orders.len()), "{seen:?}");
    ana.signal(Signal::TERM);
    ben.signal(Signal::INT);
    for end in [ana.end_by_itself(), ben.end_by_itself()] {
        assert_eq!(end.code, Some(0), "{end:?}");
        let told = |words| end.complaint.matches(words).count();
        assert_eq!(told("is away"), 2, "{end:?}");
        assert_eq!(told("the broker is there"), 2, "{end:?}");
    }
}

#[test]
fn a_client_may_be_there_before_the_broker() {
    let mut stage = Stage::durable();
    stage.stop();
    let mut ana = Program::start(&stage.address, &["--name", "ana"]);
    ana.tell("1\n");
    pause(Duration::from_millis(300));
    stage.start();
    let end = ana.end();
    assert_eq!(end.code, Some(0), "{end:?}");
    assert_eq!(end.lines, ["1 ana: 1"]);
    assert_eq!(
        end.complaint.matches("no broker answers").count(),
        1,
        "{end:?}"
    );
}

#[test]
fn lines_that_were_never_confirmed_are_named() {
    let mut stage = Stage::new();
    let arguments = ["--name", "ana", "--patience", "1"];
    let mut ana = Program::start(&stage.address, &arguments);
    ana.tell("1\n2\n");
    until(&mut ana, "2");
    stage.stop();
    ana.tell("3\n4\n5\n");
    let end = ana.end();
    assert_eq!(end.code, Some(2), "{end:?}");
    assert!(
        end.complaint.contains("lines 3 to 5 were not confirmed"),
        "{end:?}"
    );
}

#[test]
fn a_line_can_be_too_long() {
    let stage = Stage::new();
    let mut ana = Program::start(&stage.address, &["--name", "ana"]);
    let mut input = ana.take_input();
    input.write_all(b"1\n").unwrap();
    let long = vec![b'x'; orden::core::Limits::default().message_bytes + 1];
    // It stops reading when it has seen enough.
    input.write_all(&long).ok();
    drop(input);
    let end = ana.end();
    assert_eq!(end.code, Some(2), "{end:?}");
    assert!(
        end.complaint.contains("line 2: a message can have"),
        "{end:?}"
    );
    assert!(
        end.complaint.contains("line 2 was not confirmed"),
        "{end:?}"
    );
    assert_eq!(end.lines, ["1 ana: 1"]);
}

#[test]
fn whoever_reads_may_have_seen_enough() {
    let stage = Stage::new();
    let mut ana = Program::start(&stage.address, &["--name", "ana", "--follow"]);
    ana.tell("1\n");
    until(&mut ana, "1");
    ana.close_output();
    retry(|| {
        ana.tell("more\n");
        ana.has_ended().then_some(())
    });
    let end = ana.end_by_itself();
    assert_eq!(end.code, Some(0), "{end:?}");
    let said = everything(&stage);
    assert!(said.len() > 1, "it went on until it had something to say");
}

#[test]
fn who_only_publishes_hears_nothing() {
    let stage = Stage::new();
    let mut ana = Program::start(&stage.address, &["--name", "ana", "--publish-only"]);
    ana.tell("1\n2\n");
    assert_eq!(ana.finish(), [""; 0]);
    assert_eq!(everything(&stage).len(), 2);
}

#[test]
fn another_client_takes_the_name() {
    let stage = Stage::new();
    let mut first = Program::start(&stage.address, &["--name", "ana", "--follow"]);
    first.tell("1\n");
    until(&mut first, "1");
    let second = stage.client("ana");
    let end = first.end_by_itself();
    assert_eq!(end.code, Some(3), "{end:?}");
    assert!(
        end.complaint
            .contains("another connection has taken this name"),
        "{end:?}"
    );
    drop(second);
}

#[test]
fn a_session_stays_or_ends_as_one_says() {
    let stage = Stage::new();
    let zoe = stage.client("zoe");
    let eva = stage.client("eva");
    let told = |arguments: &[&str]| {
        Program::start(&stage.address, arguments).finish();
        // What there is to tell comes before this.
        let end = zoe.publish_and_wait("that is all").unwrap();
        let mut told = Vec::new();
        loop {
            let delivery = eva.next_delivery(DEADLINE).unwrap().unwrap();
            if delivery.order == end {
                return told;
            }
            told.push(String::from_utf8(delivery.message).unwrap());
        }
    };
    assert_eq!(told(&["--name", "ana"]), ["ana has joined the net"]);
    assert_eq!(
        told(&["--name", "ana", "--on-exit", "leave"]),
        ["ana has left the net"]
    );
    let nameless = told(&[]);
    assert_eq!(nameless.len(), 2);
    assert!(nameless[1].ends_with("has left the net"));
    assert_eq!(told(&["--on-exit", "stay"]).len(), 1);
    assert_eq!(eva.confirmed(), ClientSequence(0));
}
