//! `GET /readyz`: what it says while the broker cannot do its work, and that it takes it back.

use std::net::TcpStream;
use std::thread;

use orden_kit::disk_faults::DiskFaults;
use orden_kit::poll;
use orden_kit::programs::broker::Broker;

use super::HTTP;
use super::asking::{get, post};
use crate::security::stage::Peer;

/// Waits until the broker is ready, or is not for this reason.
#[track_caller]
fn await_readiness(broker: &Broker, said: &str) {
    let http = broker.http_address();
    let status = if said == "ready" { 200 } else { 503 };
    let is = || {
        let answer = get(http, "/readyz");
        (answer.status == status && answer.text() == format!("{said}\n")).then_some(())
    };
    poll(is, said);
    assert_eq!(
        get(http, "/healthz").status,
        200,
        "{said} is no reason to restart"
    );
}

fn value(broker: &Broker, metric: &str) -> String {
    let text = get(broker.http_address(), "/metrics").text().to_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(metric));
    line.unwrap_or_else(|| panic!("no {metric} in {text}"))
        .trim()
        .to_owned()
}

#[test]
fn a_full_disk_is_said_and_taken_back_although_nothing_is_published() {
    let faults = DiskFaults::new();
    let small = ["--max-message-bytes", "100000", "--segment-bytes", "1"];
    let flags: Vec<_> = HTTP.iter().copied().chain(small).collect();
    let broker = Broker::start_with(&flags, faults.environment());
    let http = broker.http_address();
    await_readiness(&broker, "ready");
    faults.set(&["write * * space 0 always"]);
    let body = vec![b'x'; 90_000];
    // As many as there was room for.
    let mut posted = (1..300).map(|sequence| post(http, "ana", sequence, &body).0);
    assert!(posted.any(|status| status == 507), "it never was full");
    await_readiness(&broker, "disk full");
    assert_eq!(value(&broker, "orden_log_full "), "1");
    faults.lift();
    await_readiness(&broker, "ready");
    assert_eq!(value(&broker, "orden_log_full "), "0");
}

#[test]
fn a_sync_that_does_not_return_is_said() {
    let faults = DiskFaults::new();
    let broker = Broker::start_with(HTTP, faults.environment());
    let peer = Peer::join(&broker, "ana", None);
    peer.say("ana: hola");
    peer.hear_until("ana: hola");
    faults.set(&["sync sequencer .segment delay 6500 once"]);
    peer.say("ana: waits");
    await_readiness(&broker, "sync overdue");
    peer.hear_until("ana: waits");
    await_readiness(&broker, "ready");
    broker
        .program()
        .complaint(0, "a sync of the log has taken 6");
}

#[test]
fn connections_are_counted_until_they_end() {
    let broker = Broker::in_memory(&[HTTP, &["--tcp-address", "127.0.0.1:0"]].concat());
    let is = |count: &str| {
        let shown = || (value(&broker, "orden_connections ") == count).then_some(());
        poll(shown, &format!("{count} connections"));
    };
    is("0");
    let ana = Peer::join(&broker, "ana", None);
    let eva = Peer::join(&broker, "eva", None);
    let plain = std::net::TcpStream::connect(broker.tcp_address()).unwrap();
    is("3");
    drop((ana, plain));
    is("1");
    drop(eva);
    is("0");
}

#[test]
fn probes_are_answered_before_the_log_was_read() {
    let faults = DiskFaults::new();
    let broker = Broker::start_with(HTTP, faults.environment());
    let http = broker.http_address().to_owned();
    let peer = Peer::join(&broker, "ana", None);
    peer.say("ana: hola");
    peer.hear_until("ana: hola");
    let stopped = broker.kill();
    faults.set(&["read * .segment delay 3000 once"]);
    let starting = thread::spawn(move || stopped.start());
    poll(|| TcpStream::connect(&http).ok(), "the address");
    let early = get(&http, "/readyz");
    assert_eq!((early.status, early.text()), (503, "not listening\n"));
    assert_eq!(get(&http, "/healthz").text(), "ok\n");
    let status = get(&http, "/status");
    assert_eq!(
        (status.status, status.json()["error"].as_str()),
        (503, Some("not_listening"))
    );
    assert!(!starting.is_finished(), "it listens already");
    let broker = starting.join().unwrap();
    await_readiness(&broker, "ready");
}

#[test]
fn descriptors_are_kept_from_peers_before_there_are_none() {
    let broker = Broker::start(HTTP);
    let ana = Peer::join(&broker, "ana", None);
    ana.say("ana: hola");
    ana.hear_until("ana: hola");
    broker.limit_descriptors(broker.usage().descriptors + 20);
    await_readiness(&broker, "ready");
    let others: Vec<_> = (0..80)
        .map(|_| TcpStream::connect(broker.address()).unwrap())
        .collect();
    broker
        .program()
        .complaint(0, "files are open: soon peers are turned away");
    broker
        .program()
        .complaint(0, "too many files are open: ulimit -n");
    broker.await_refused("no_descriptor", 1);
    await_readiness(&broker, "no descriptor left");
    let open: u64 = value(&broker, "orden_descriptors ").parse().unwrap();
    let limit: u64 = value(&broker, "orden_descriptors_limit ").parse().unwrap();
    assert!(open < limit && open + 10 > limit, "{open} of {limit}");
    // Who is in is served.
    ana.say("ana: still here");
    ana.hear_until("ana: still here");
    drop(others);
    await_readiness(&broker, "ready");
    let bea = Peer::join(&broker, "bea", None);
    bea.say("bea: in");
    bea.hear_until("bea: in");
}

#[test]
fn members_are_warned_of_before_there_are_too_many() {
    let broker = Broker::in_memory(&[HTTP, &["--max-members", "10"]].concat());
    assert_eq!(value(&broker, "orden_members_limit "), "10");
    let join = |number: u32| {
        let name = format!("m{number}");
        let peer = Peer::join(&broker, &name, None);
        peer.say(&format!("{name}: here"));
        peer.hear_until(&format!("{name}: here"));
        peer
    };
    let _early: Vec<_> = (0..7).map(join).collect();
    assert!(!broker.program().complaints().contains("that there can be"));
    let _eighth = join(7);
    broker
        .program()
        .complaint(0, "8 members, present or away, of 10 that there can be");
}
