//! `GET /messages`: what is read is what the log holds, however often the reading is cut.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use orden_kit::clock::pause;
use orden_kit::programs::broker::{Broker, command, run};
use orden_kit::random::Random;

use super::asking::{Answer, connect, exchange, get, request};
use super::broker;
use crate::security::stage::Peer;

const EVENTS: &str = "Accept: text/event-stream";

/// A broker whose order has text, bytes that are none, and notices.
fn filled(messages: u32) -> Broker {
    let broker = broker();
    let peer = Peer::join(&broker, "ana", None);
    for number in 0..messages {
        match number % 10 {
            7 => peer.send(&[&[0; 33], &b"\xff\x00 no text"[..]].concat()),
            8 => peer.say("ana: \u{2028} \"quoted\" \\ and\nlines\r\n"),
            _ => peer.say(&format!(
                "ana: hola {number} {}",
                "x".repeat(number as usize % 97)
            )),
        }
    }
    peer.say("ana: last");
    peer.hear_until("ana: last");
    broker
}

fn dump(broker: &Broker) -> Vec<String> {
    let mut dump = command();
    dump.args(["log", "dump", "--format", "json"])
        .arg(broker.data());
    run(&mut dump).lines
}

/// Reads at most so many bytes of an answer's body, then hangs up.
fn cut(address: &str, request: &[u8], bytes: usize) -> Vec<u8> {
    let mut stream = connect(address);
    stream.write_all(request).unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        assert_ne!(reader.read_line(&mut line).unwrap(), 0, "no answer");
    }
    let mut heard = Vec::new();
    reader.take(bytes as u64).read_to_end(&mut heard).unwrap();
    heard
}

/// Reads everything in pieces that end anywhere; `next` asks for what comes after the pieces so
/// far, and `whole` finds the messages in one.
fn in_pieces(
    address: &str,
    messages: usize,
    next: impl Fn(Option<u64>) -> Vec<u8>,
    whole: impl Fn(&str) -> Vec<String>,
) -> Vec<String> {
    let mut random = Random::new(11);
    let mut read = Vec::new();
    let mut last = None;
    let mut cuts = 0;
    while read.len() < messages {
        let most = 1 + usize::try_from(random.below(2000)).unwrap();
        let piece = cut(address, &next(last), most);
        for line in whole(&String::from_utf8_lossy(&piece)) {
            let message: serde_json::Value = serde_json::from_str(&line).unwrap();
            last = message["order"].as_u64();
            read.push(line);
        }
        cuts += 1;
    }
    assert!(cuts >= 100, "{cuts} cuts only");
    read
}

#[test]
fn lines_that_are_cut_add_up_to_the_log() {
    let broker = filled(1500);
    let (http, expected) = (broker.http_address(), dump(&broker));
    let next = |last: Option<u64>| {
        let from = last.map_or("start".to_owned(), |last| (last + 1).to_string());
        request(
            http,
            &format!("GET /messages?from={from}&follow=false"),
            &[],
            b"",
        )
    };
    let whole = |text: &str| {
        let lines = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        lines.map(|line| line.trim_end().to_owned()).collect()
    };
    let read = in_pieces(http, expected.len(), next, whole);
    assert_eq!(read, expected);
    // In one go the same.
    let all = get(http, "/messages?from=start&follow=false");
    assert_eq!(all.text().lines().collect::<Vec<_>>(), expected);
}

#[test]
fn events_that_are_cut_add_up_to_the_log() {
    let broker = filled(1500);
    let (http, expected) = (broker.http_address(), dump(&broker));
    let next = |last: Option<u64>| {
        let id = last.map(|last| format!("Last-Event-ID: {last}"));
        let headers: Vec<_> = std::iter::once(EVENTS).chain(id.as_deref()).collect();
        request(http, "GET /messages?from=start&follow=false", &headers, b"")
    };
    let whole = |text: &str| {
        let events = text
            .split_inclusive("\n\n")
            .filter(|event| event.ends_with("\n\n"));
        let ids = events.filter_map(|event| event.strip_prefix("id: "));
        ids.map(|event| {
            let (id, data) = event.trim_end().split_once("\ndata: ").unwrap();
            assert!(data.starts_with(&format!("{{\"order\":{id},")), "{event}");
            data.to_owned()
        })
        .collect()
    };
    assert_eq!(in_pieces(http, expected.len(), next, whole), expected);
}

fn follow(address: &str, path: &str, headers: &[&str]) -> BufReader<TcpStream> {
    let mut stream = connect(address);
    let asked = request(address, &format!("GET {path}"), headers, b"");
    stream.write_all(&asked).unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).unwrap();
    }
    reader
}

#[test]
fn what_comes_is_read_as_it_comes() {
    let broker = broker();
    let http = broker.http_address();
    let peer = Peer::join(&broker, "ana", None);
    peer.say("ana: begins");
    let first = peer.hear_until("ana: begins");
    let mut lines = follow(http, "/messages", &[]);
    let mut events = follow(http, "/messages?count=2", &[EVENTS]);
    let mut line = String::new();
    for (number, text) in (first + 1..).zip(["uno", "dos", "tres"]) {
        peer.say(&format!("ana: {text}"));
        line.clear();
        lines.read_line(&mut line).unwrap();
        assert!(
            line.starts_with(&format!("{{\"order\":{number},\"from\":\"ana\"")),
            "{line}"
        );
        assert!(line.contains(text), "{line}");
    }
    let mut all = String::new();
    events.read_to_string(&mut all).unwrap();
    assert!(all.starts_with("event: log\ndata: {\"log_id\":\""), "{all}");
    let ids: Vec<_> = all
        .lines()
        .filter_map(|line| line.strip_prefix("id: "))
        .collect();
    // The greeting says where it begins: a browser that is cut off after it goes on from there.
    assert_eq!(ids, [first, first + 1, first + 2].map(|id| id.to_string()));
    // A broker that stops ends what is being read, and does not wait for it.
    let (end, _) = broker.stop();
    assert_eq!(end.code(), Some(0));
    line.clear();
    assert_eq!(lines.read_line(&mut line).unwrap(), 0, "{line}");
}

/// How often the thread that serves HTTP has slept.
fn sleeps(broker: &Broker) -> u64 {
    let pid = broker.program().pid().as_raw_nonzero();
    let mut tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let status = tasks.find_map(|task| {
        let path = task.unwrap().path();
        let is_it = fs::read_to_string(path.join("comm")).unwrap() == "http\n";
        is_it.then(|| fs::read_to_string(path.join("status")).unwrap())
    });
    let status = status.expect("the thread is there");
    let line = "voluntary_ctxt_switches:";
    let mut lines = status.lines();
    let count = lines.find_map(|it| it.strip_prefix(line)).unwrap();
    count.trim().parse().unwrap()
}

#[test]
fn readers_that_wait_cost_nothing() {
    let broker = broker();
    let http = broker.http_address();
    let mut readers: Vec<_> = (0..3).map(|_| follow(http, "/messages", &[])).collect();
    let before = sleeps(&broker);
    pause(Duration::from_secs(2));
    let wakeups = sleeps(&broker) - before;
    assert!(wakeups < 3, "{wakeups} wake-ups in 2 s");
    // And yet they hear at once of what comes.
    let peer = Peer::join(&broker, "ana", None);
    peer.say("ana: hola");
    let mut line = String::new();
    for reader in &mut readers {
        line.clear();
        reader.read_line(&mut line).unwrap();
        assert!(line.contains("\"kind\":\"notice\""), "{line}");
    }
}

#[test]
fn what_is_not_there_is_said() {
    let flags = ["--http-address", "127.0.0.1:0", "--retain-bytes", "200000"];
    let broker = Broker::in_memory(&flags);
    let http = broker.http_address();
    let peer = Peer::join(&broker, "ana", None);
    for _ in 0..100 {
        peer.say(&"x".repeat(10_000));
        // Each in a batch of its own: the newest is kept, however large it is.
        peer.hear_until(&"x".repeat(10_000));
    }
    peer.say("ana: last");
    let last = peer.hear_until("ana: last");
    let gone = get(http, "/messages?from=0");
    assert_eq!(
        (gone.status, gone.json()["error"].as_str()),
        (410, Some("trimmed"))
    );
    let oldest = gone.json()["detail"].as_u64().unwrap();
    assert!(oldest > 0);
    let beyond = get(http, &format!("/messages?from={}", last + 2));
    assert_eq!(beyond.status, 409);
    assert_eq!(beyond.json()["detail"], last + 1);
    let events = request(http, "GET /messages?from=0&follow=false", &[EVENTS], b"");
    let events = Answer::parse(&exchange(http, &events));
    let skipped = format!("event: skipped\ndata: {{\"from\":0,\"to\":{oldest}}}\n\nid: {oldest}\n");
    assert!(events.text().contains(&skipped), "{:.400}", events.text());
    assert_eq!(get(http, "/messages?form=1").status, 400);
}
