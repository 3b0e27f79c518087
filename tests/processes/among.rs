//! What is seen of several brokers and their stream, and what operators have them do.

#![allow(clippy::unwrap_used, reason = "a test that fails may panic")]

use orden_kit::dealer::Dealer;
use orden_kit::poll;
use orden_kit::programs::broker::{Broker, command, run};
use orden_kit::programs::client;
use orden_kit::programs::nats::NatsServers;

use crate::control::{done, operated, status};
use crate::web::asking::get;

fn place(servers: &NatsServers) -> Vec<String> {
    let urls = servers.urls().join(",");
    ["--cluster", &urls, "--insecure-single-copy"]
        .map(str::to_owned)
        .to_vec()
}

/// Two brokers over one NATS server, which also speak HTTP.
fn two() -> (NatsServers, Broker, Broker) {
    let servers = NatsServers::start(1);
    let end = run(command().args(["stream", "create"]).args(place(&servers)));
    assert!(end.success(), "{}", end.complaint);
    let start = |name: &str| {
        let place = place(&servers);
        let mut flags: Vec<&str> = place.iter().map(String::as_str).collect();
        flags.extend(["--broker-name", name, "--http-address", "127.0.0.1:0"]);
        Broker::start(&flags)
    };
    let (a, b) = (start("a"), start("b"));
    (servers, a, b)
}

/// Waits until a broker says this of whether it is ready.
#[track_caller]
fn await_readiness(broker: &Broker, said: &str) {
    let status = if said == "ready" { 200 } else { 503 };
    let is = || {
        let answer = get(broker.http_address(), "/readyz");
        (answer.status == status && answer.text() == format!("{said}\n")).then_some(())
    };
    poll(is, said);
}

#[track_caller]
fn has_metric(broker: &Broker, line: &str) {
    let text = get(broker.http_address(), "/metrics").text().to_owned();
    assert!(text.lines().any(|said| said == line), "no {line} in {text}");
}

#[test]
fn the_stream_is_seen() {
    let (mut servers, a, b) = two();
    await_readiness(&a, "ready");
    let shown = poll(
        || Some(status(&a)).filter(|status| status["brokers"].as_array().unwrap().len() == 2),
        "both serve",
    );
    assert_eq!(shown["brokers"], serde_json::json!(["a", "b"]));
    assert_eq!(shown["stream"]["up"], true);
    assert!(shown["position"].as_u64() > Some(2), "{shown}");
    has_metric(&a, "orden_brokers 2");
    has_metric(&a, "orden_stream_up 1");
    has_metric(&a, "orden_stream_obstacle 0");
    let text = done(&a, &["status"]);
    assert!(text.contains("brokers a, b"), "{text}");
    let ana = client::start(a.address(), &["--name", "ana", "--follow"]);
    a.await_status("ana is there", |status| status.members.contains_key("ana"));
    servers.kill(0);
    await_readiness(&a, "stream unreachable");
    await_readiness(&b, "stream unreachable");
    has_metric(&a, "orden_stream_up 0");
    has_metric(&a, "orden_stream_obstacle 1");
    let text = done(&a, &["status"]);
    assert!(text.contains("not ready: stream unreachable"), "{text}");
    // It is told, as it might know another broker; and goes on here, as it knows none.
    ana.complaint(0, "reaches no server");
    servers.restart(0);
    await_readiness(&a, "ready");
    let mut bea = client::start(b.address(), &["--name", "bea"]);
    bea.tell("hola");
    let end = bea.end();
    assert!(end.success(), "{}", end.complaint);
    let mut lines = std::iter::from_fn(|| Some(ana.line()));
    assert!(lines.any(|line| line.ends_with(" bea: hola")));
}

#[test]
fn a_member_is_kicked_at_a_broker_that_it_does_not_use() {
    let (_servers, a, b) = two();
    let ana = client::start(a.address(), &["--name", "ana", "--follow"]);
    b.await_status("ana is there", |status| status.members.contains_key("ana"));
    done(&b, &["kick", "ana"]);
    let end = ana.end_by_itself();
    assert!(end.complaint.contains("removed"), "{}", end.complaint);
    for broker in [&a, &b] {
        broker.await_status("ana is away", |status| !status.members["ana"].present);
    }
    let again = operated(&b, &["kick", "ana"]);
    assert!(
        again.complaint.contains("not connected"),
        "{}",
        again.complaint
    );
    // A peer of a fixed dialect is served again as soon as it speaks.
    let bea = Dealer::join(a.endpoint(), "bea");
    b.await_status("bea is there", |status| status.members.contains_key("bea"));
    done(&b, &["kick", "bea"]);
    a.await_status("bea is served again", |status| {
        bea.say("¿sigo aquí?");
        status.members["bea"].present && bea.hear_now().is_some()
    });
}

#[test]
fn a_session_is_ended_at_a_broker_that_it_does_not_use() {
    let (_servers, a, b) = two();
    let ana = client::start(a.address(), &["--name", "ana", "--follow"]);
    let mut bea = Dealer::join(b.endpoint(), "bea");
    b.await_status("both are there", |status| status.members.len() == 2);
    done(&b, &["end", "ana"]);
    // The answer comes once it has happened.
    assert!(!b.status().members.contains_key("ana"));
    let end = ana.end_by_itself();
    assert!(end.complaint.contains("has ended"), "{}", end.complaint);
    bea.next_until("Server: ana has left the net");
    let again = operated(&b, &["end", "ana"]);
    assert!(again.complaint.contains("no member"), "{}", again.complaint);
}

/// A broker that is alone, and asked for nothing more, has no thread that knows tokio, and none
/// but its own.
#[test]
fn a_broker_that_is_alone_has_only_its_own_threads() {
    let broker = Broker::start(&[]);
    let expected = [
        "control",
        "dispatcher",
        "loader",
        "log",
        "log-maintenance",
        "orden-broker",
        "sequencer",
        "signals",
    ];
    // A thread has its name a moment after it has begun.
    let are_they = || {
        let mut names = threads(&broker);
        names.retain(|name| !name.starts_with("ZMQbg"));
        (names == expected).then_some(())
    };
    poll(are_they, "these threads and no others");
    let (_servers, a, _b) = two();
    let names = threads(&a);
    for name in ["nats", "http"] {
        let count = names.iter().filter(|other| *other == name).count();
        assert_eq!(count, 1, "{name} in {names:?}");
    }
}

/// The names of a broker's threads, in their alphabetical order.
fn threads(broker: &Broker) -> Vec<String> {
    let process = broker.program().pid().as_raw_nonzero();
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).unwrap();
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).unwrap();
    let mut names: Vec<_> = tasks
        .map(|task| name(task.unwrap()).trim_end().to_owned())
        .collect();
    names.sort_unstable();
    names
}

/// Who only reads is in no order, and goes on at another broker where it was all the same.
#[test]
fn an_observer_goes_on_at_another_broker() {
    let (_servers, a, b) = two();
    let other = b.address().to_owned();
    let observe = ["--address", &other, "--observe", "--from", "start"];
    let eva = client::start(a.address(), &observe);
    let say = |text: &str| {
        let mut bea = client::start(b.address(), &["--name", "bea"]);
        bea.tell(text);
        let end = bea.end();
        assert!(end.success(), "{}", end.complaint);
    };
    say("uno");
    assert_eq!(eva.line(), "0 Server: bea has joined the net");
    assert_eq!(eva.line(), "1 bea: uno");
    drop(a.kill());
    say("dos");
    assert_eq!(eva.line(), "2 bea: dos");
}
