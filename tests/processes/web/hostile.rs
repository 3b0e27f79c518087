//! Bad input over HTTP: after each of it a member is served in order, and a probe is answered.
//!
//! The numbers are those of catalogue G in `docs/security.md`.

use std::io::{Read, Write};
use std::net::TcpStream;

use orden_kit::poll;
use orden_kit::programs::broker::Broker;

use super::asking::{Answer, ask, connect, exchange, get, post, request};
use super::{HTTP, broker};
use crate::hostile::Witness;

/// What is answered: one of these statuses, or (0) nothing but the end of the connection.
type Expected = &'static [u16];

/// What is said, byte by byte, and what is answered; `HOST` stands for the address.
type Case = (&'static str, Vec<u8>, Expected);

fn with(headers: &str) -> Vec<u8> {
    format!("GET /status HTTP/1.1\r\nHost: HOST\r\n{headers}\r\n").into_bytes()
}

fn posted(headers: &str, body: &str) -> Vec<u8> {
    let line = "POST /messages?name=eve&sequence=1 HTTP/1.1\r\nHost: HOST\r\n";
    format!("{line}{headers}\r\n{body}").into_bytes()
}

/// Too much, or no HTTP at all.
fn noise() -> Vec<Case> {
    let long = "x".repeat(9 << 10);
    let tls = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3][..], &[7; 512]].concat();
    let address = format!("GET /{long} HTTP/1.1\r\n\r\n");
    vec![
        (
            "G1: a head of 9 KiB",
            with(&format!("X: {long}\r\n")),
            &[431],
        ),
        ("G1: 300 headers", with(&"X: x\r\n".repeat(300)), &[431]),
        ("G1: an address of 9 KiB", address.into_bytes(), &[414, 431]),
        ("G2: noise", vec![0xA5; 4096], &[400, 0]),
        ("G2: TLS", tls, &[400, 0]),
        (
            "G2: HTTP/2",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            &[400, 0],
        ),
        ("G2: no version", b"GET /status\r\n\r\n".to_vec(), &[400, 0]),
    ]
}

/// What two servers would read differently.
fn smuggled() -> Vec<Case> {
    const INSIDE: &str = "0\r\n\r\nGET /status HTTP/1.1\r\nHost: HOST\r\n\r\n";
    const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
    let length = |length: &str| format!("Content-Length: {length}\r\n");
    let first = format!("{}{CHUNKED}Connection: close\r\n", length("5"));
    let last = format!("{CHUNKED}{}Connection: close\r\n", length("50"));
    let two = length("5") + &length("6");
    let hosts = "GET /status HTTP/1.1\r\nHost: HOST\r\nHost: evil\r\nConnection: close\r\n\r\n";
    let other = "GET http://evil/status HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n";
    vec![
        ("G3: length and chunks", posted(&first, INSIDE), &[411, 400]),
        ("G3: chunks and length", posted(&last, INSIDE), &[411, 400]),
        (
            "G3: chunks, spelt otherwise",
            posted("Transfer-Encoding: xchunked\r\n", INSIDE),
            &[400, 411],
        ),
        ("G3: two lengths", posted(&two, "hola!!"), &[400]),
        (
            "G3: a length with a sign",
            posted(&length("+5"), "hola!"),
            &[400],
        ),
        (
            "G3: a length in hexadecimal",
            posted(&length("0x5"), "hola!"),
            &[400],
        ),
        (
            "G3: a blank before the colon",
            with("Content-Length : 5\r\n"),
            &[400],
        ),
        ("G3: a folded header", with("X: a\r\n b\r\n"), &[400]),
        ("G3: two hosts", hosts.into(), &[400]),
        ("G3: another host in the address", other.into(), &[400]),
        ("G3: a zero byte", with("X: a\0b\r\n"), &[400]),
    ]
}

fn bodies() -> Vec<Case> {
    let length = |length: &str| format!("Content-Length: {length}\r\n");
    let endless = "5\r\nhola!\r\n".repeat(10_000);
    vec![
        (
            "G4: a body that is too large",
            posted(&length("99999999999"), "x"),
            &[413],
        ),
        (
            "G4: a length beyond all numbers",
            posted(&length(&"9".repeat(23)), "x"),
            &[400],
        ),
        (
            "G4: a body without end",
            posted("Transfer-Encoding: chunked\r\n", &endless),
            &[411],
        ),
    ]
}

#[test]
fn heads_and_bodies() {
    let mut broker = broker();
    let http = broker.http_address().to_owned();
    let mut witness = Witness::new(&mut broker);
    for (what, bytes, expected) in [noise(), smuggled(), bodies()].concat() {
        let bytes = replace(&bytes, b"HOST", http.as_bytes());
        let heard = exchange(&http, &bytes);
        let answers = heard.windows(9).filter(|nine| nine == b"HTTP/1.1 ").count();
        let status = if heard.is_empty() {
            0
        } else {
            Answer::parse(&heard).status
        };
        assert!(expected.contains(&status), "{what}: {status}");
        assert!(answers <= 1, "{what}: two requests were seen in it");
        witness.is_served(what);
        assert_eq!(get(&http, "/healthz").status, 200, "{what}");
    }
    let order = get(&http, "/messages?from=start&follow=0");
    assert!(!order.text().contains("eve"), "{}", order.text());
}

fn replace(bytes: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(what.len()).position(|window| window == what) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(with);
        rest = &rest[at + what.len()..];
    }
    [&out, rest].concat()
}

#[test]
fn places_and_people_that_it_does_not_serve() {
    let mut broker = broker();
    let http = broker.http_address().to_owned();
    let mut witness = Witness::new(&mut broker);
    for path in [
        "/../../../../etc/passwd",
        "/page/../../../Cargo.toml",
        "/page/%2e%2e/%2e%2e/Cargo.toml",
        "/page//page.css",
        "/members/..",
        "/members/%2e%2e%2fstatus",
        "/members/%00",
        "//evil.example/status",
    ] {
        assert_eq!(get(&http, path).status, 404, "G5: {path}");
    }
    for path in ["/", "/status", "/messages?follow=0", "/members"] {
        let foreign = exchange(
            &http,
            format!("GET {path} HTTP/1.0\r\nHost: evil.example\r\n\r\n").as_bytes(),
        );
        assert_eq!(Answer::parse(&foreign).status, 421, "G6: {path}");
        let none = exchange(&http, format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes());
        assert_eq!(Answer::parse(&none).status, 400, "G6: {path}");
        for origin in ["http://evil.example", "null", "http://127.0.0.1"] {
            let foreign = ask(
                &http,
                &format!("GET {path}"),
                &[&format!("Origin: {origin}")],
                b"",
            );
            assert_eq!(foreign.status, 403, "G7: {path} from {origin}");
        }
    }
    let script = ask(&http, "GET /status", &["Sec-Fetch-Site: cross-site"], b"");
    assert_eq!(script.status, 403, "G7: a script's request");
    let forged = ask(
        &http,
        "POST /messages?name=eve&sequence=1",
        &["Origin: http://evil.example"],
        b"x",
    );
    assert_eq!(forged.status, 403, "G7: a form's request");
    witness.is_served("G5 to G7");
    let order = get(&http, "/messages?from=start&follow=0");
    assert!(!order.text().contains("eve"), "{}", order.text());
    let refused = get(&http, "/status").json()["refused"].clone();
    assert!(refused["http_host"].as_u64() >= Some(8), "{refused}");
    assert!(refused["http_origin"].as_u64() >= Some(14), "{refused}");
}

#[test]
fn those_who_say_too_little() {
    let mut broker = broker();
    let http = broker.http_address().to_owned();
    let mut witness = Witness::new(&mut broker);
    let read = |mut stream: TcpStream| {
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).ok();
        heard
    };
    // A head that ends in the middle, a drop at a time, and one that never ends.
    let mut slow = connect(&http);
    slow.write_all(b"GET /status HTTP/1.1\r\nHost").unwrap();
    let mut endless = connect(&http);
    endless.write_all(b"GET /status HTTP/1.1\r\n").unwrap();
    let mut said = 0;
    while said < 1 << 20 && endless.write_all(b"X-Header: of many\r\n").is_ok() {
        said += 19;
    }
    assert!(said < 1 << 20, "G8: a MiB of head was taken");
    // A body that is announced and does not come; its author has hung up.
    let mut half = connect(&http);
    let line = "POST /messages?name=eve&sequence=1 HTTP/1.1\r\nHost: ";
    write!(
        half,
        "{line}{http}\r\nContent-Length: 100\r\n\r\nhalf of it"
    )
    .unwrap();
    drop(half);
    witness.is_served("G8: while they last");
    assert!(read(slow).len() < 1000, "G8: a slow head is cut off");
    // More connections than there is room for, and none says a word.
    let silent: Vec<_> = (0..100).map(|_| connect(&http)).collect();
    witness.is_served("G9: while they are silent");
    let ends = silent.into_iter().map(read);
    let full = ends
        .filter(|heard| heard.starts_with(b"HTTP/1.1 503"))
        .count();
    assert!(full >= 36, "G9: {full} of 100 were turned away");
    let again = || (get_if_open(&http)?.status == 200).then_some(());
    poll(again, "room for a probe");
    let order = get(&http, "/messages?from=start&follow=0");
    assert!(!order.text().contains("eve"), "{}", order.text());
    witness.is_served("G8 and G9");
}

fn get_if_open(address: &str) -> Option<Answer> {
    let heard = exchange(address, &request(address, "GET /healthz", &[], b""));
    (!heard.is_empty()).then(|| Answer::parse(&heard))
}

#[test]
fn readers_that_never_read_cost_what_is_bounded() {
    let mut broker = broker();
    let http = broker.http_address().to_owned();
    for sequence in 1..=300 {
        let text = vec![b'x'; 100_000];
        assert_eq!(post(&http, "ana", sequence, &text).0, 200);
    }
    let mut witness = Witness::new(&mut broker);
    witness.is_served("before");
    let before = witness.broker().usage().resident_bytes;
    let mut readers: Vec<_> = (0..48)
        .map(|_| {
            let mut reader = connect(&http);
            let asked = request(&http, "GET /messages?from=start", &[], b"");
            reader.write_all(&asked).unwrap();
            reader
        })
        .collect();
    for reader in &mut readers {
        let mut first = [0; 12];
        reader.read_exact(&mut first).unwrap();
        assert_eq!(&first, b"HTTP/1.0 200", "G10");
    }
    let one_more = get(&http, "/messages?from=start");
    assert_eq!(one_more.status, 503, "G10: one reader too many");
    witness.is_served("G10: while they do not read");
    assert_eq!(
        get(&http, "/healthz").status,
        200,
        "G10: no room for a probe"
    );
    let grown = witness
        .broker()
        .usage()
        .resident_bytes
        .saturating_sub(before);
    assert!(
        grown < 64 << 20,
        "G10: {grown} bytes for 48 readers of 30 MB"
    );
    drop(readers);
    let again =
        || (get(&http, "/messages?from=start&follow=0&count=1").status == 200).then_some(());
    poll(again, "room for a reader");
}

#[test]
fn a_routing_id_of_this_process_is_nobody_elses() {
    let mut broker = Broker::in_memory(HTTP);
    let http = broker.http_address().to_owned();
    let address = broker.address().to_owned();
    assert_eq!(post(&http, "ana", 1, b"hola").0, 200);
    let mut witness = Witness::new(&mut broker);
    // The first connection's: what it says would be said by ana.
    let mut forger = orden_kit::zmtp::Speaker::join(&address, &[0, 0, 0, 0, 0, 0, 0, 0, 1]);
    let mut frame = orden::wire::native::PublishFrame::new(orden::wire::ClientSequence(2));
    frame.push(b"forged");
    forger.message(&[&frame.finish()]);
    witness.is_served("G11");
    let (status, order) = post(&http, "ana", 2, b"her own");
    assert_eq!(status, 200, "{order}");
    let all = get(&http, "/messages?from=start&follow=0");
    assert!(!all.text().contains("forged"), "{}", all.text());
}
