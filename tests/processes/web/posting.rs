//! `POST /messages`: ordered once, whatever happens to whom.

use orden_kit::dealer::Dealer;
use orden_kit::poll;
use orden_kit::programs::broker::Broker;
use rustix::process::Signal;

use super::asking::{ask, get, post};
use super::{HTTP, broker};
use crate::security::stage::{Keys, Peer};

#[test]
fn a_message_that_is_posted_again_has_its_number_also_after_a_crash() {
    let broker = broker();
    let http = broker.http_address();
    let join = ask(http, "POST /sessions?name=ana&claim=one", &[], b"");
    assert_eq!(join.json()["last_sequence"], 0);
    let (status, first) = post(http, "ana", 1, b"hola");
    assert_eq!(status, 200);
    assert_eq!(post(http, "ana", 1, b"hola"), (200, first.clone()));
    let (_, second) = post(http, "ana", 2, b"otra vez");
    assert_eq!(
        second["order"].as_u64(),
        first["order"].as_u64().map(|order| order + 1)
    );
    let broker = broker.kill().start();
    let http = broker.http_address();
    assert_eq!(post(http, "ana", 2, b"otra vez"), (200, second));
    assert_eq!(post(http, "ana", 1, b"hola"), (200, first));
    let join = ask(http, "POST /sessions?name=ana", &[], b"");
    assert_eq!(join.json()["last_sequence"], 2);
    let all = get(http, "/messages?from=start&follow=false");
    assert_eq!(
        all.text().matches("\"from\":\"ana\"").count(),
        2,
        "{}",
        all.text()
    );
}

#[test]
fn a_sequence_is_one_message_and_has_no_gap() {
    let broker = Broker::in_memory(HTTP);
    let http = broker.http_address();
    assert_eq!(post(http, "ana", 1, b"hola").0, 200);
    let (status, reused) = post(http, "ana", 1, b"adios");
    assert_eq!(
        (status, reused["error"].as_str()),
        (409, Some("sequence_reused"))
    );
    let (status, gap) = post(http, "ana", 3, b"adios");
    assert_eq!((status, gap["error"].as_str()), (409, Some("sequence_gap")));
    assert_eq!(gap["detail"], 2);
    for bad in [
        "",
        "?name=ana",
        "?name=ana&sequence=0",
        "?name=ana&sequence=x",
        "?sequence=1",
        // There would be none after it.
        "?name=ana&sequence=18446744073709551615",
    ] {
        let answer = ask(http, &format!("POST /messages{bad}"), &[], b"x");
        assert_eq!(answer.status, 400, "{bad}");
    }
    assert_eq!(post(http, "ana", 2, b"adios").0, 200);
    assert_eq!(post(http, "Server", 1, b"x").0, 400);
    assert_eq!(post(http, "%00ana", 1, b"x").0, 400);
}

#[test]
fn a_name_is_one_pages_or_one_programs() {
    let broker = Broker::in_memory(HTTP);
    let http = broker.http_address();
    let claim = |claim: &str, sequence: u64| {
        let line = format!("POST /messages?name=ana&sequence={sequence}&claim={claim}");
        let answer = ask(http, &line, &[], b"hola");
        (
            answer.status,
            answer.json()["error"].as_str().map(str::to_owned),
        )
    };
    assert_eq!(claim("one", 1), (200, None));
    let join = ask(http, "POST /sessions?name=ana&claim=two", &[], b"");
    assert_eq!(join.json()["last_sequence"], 1);
    assert_eq!(claim("one", 2), (409, Some("superseded".to_owned())));
    assert_eq!(claim("two", 2), (200, None));
    let peer = Peer::join(&broker, "berta", None);
    peer.say("berta: here");
    peer.hear_until("berta: here");
    let (status, in_use) = post(http, "berta", 1, b"not berta");
    assert_eq!(
        (status, in_use["error"].as_str()),
        (409, Some("name_in_use"))
    );
    peer.say("berta: still here");
    peer.hear_until("berta: still here");
}

#[test]
fn where_keys_say_who_may_a_browser_may_not() {
    let broker = Keys::new().broker(HTTP);
    let http = broker.http_address();
    // Without the token not even that much is said.
    let (status, refused) = post(http, "ana", 1, b"hola");
    assert_eq!(
        (status, refused["error"].as_str()),
        (403, Some("http_token"))
    );
    let directory = tempfile::tempdir().unwrap();
    let token = super::token::write(directory.path(), "0123456789abcdef", 0o600);
    let broker = Keys::new().broker(&[HTTP, &["--http-token", &token]].concat());
    let bearer = ["Authorization: Bearer 0123456789abcdef"];
    let line = "POST /messages?name=ana&sequence=1";
    let refused = ask(broker.http_address(), line, &bearer, b"hola");
    assert_eq!(
        (refused.status, refused.json()["error"].as_str()),
        (403, Some("keys"))
    );
    assert!(
        refused.text().contains("orden-client"),
        "{}",
        refused.text()
    );
    let all = ask(
        broker.http_address(),
        "GET /messages?from=start&follow=0",
        &bearer,
        b"",
    );
    assert_eq!((all.status, all.text()), (200, ""));
}

/// Hears everything up to this, and acknowledges nothing; its number.
fn hear(peer: &mut Dealer, text: &str) -> u64 {
    loop {
        let heard = peer.next_unacknowledged();
        if heard.payload == text.as_bytes() {
            return heard.order;
        }
    }
}

#[test]
fn while_the_broker_drains_known_names_post_and_new_ones_may_not() {
    let broker = broker();
    let http = broker.http_address();
    // It holds the drain up, as it acknowledges nothing that it hears.
    let mut slow = Dealer::member(broker.endpoint(), "slow");
    assert_eq!(post(http, "ana", 1, b"hola").0, 200);
    let last = hear(&mut slow, "ana: hola");
    broker.program().signal(Signal::USR2);
    let draining = || (get(http, "/readyz").text() == "draining\n").then_some(());
    poll(draining, "it drains");
    let (status, answer) = post(http, "ana", 2, b"tarde");
    assert_eq!((status, answer["order"].as_u64()), (200, Some(last + 1)));
    let (status, answer) = post(http, "eva", 1, b"nueva");
    assert_eq!((status, answer["error"].as_str()), (503, Some("closing")));
    hear(&mut slow, "ana: tarde");
    slow.ack(last);
    let (end, stopped) = broker.end();
    assert_eq!(end.code(), Some(0), "{}", end.complaint);
    // What was refused may be said again, under its sequence.
    let broker = stopped.start();
    let http = broker.http_address();
    assert_eq!(post(http, "eva", 1, b"nueva").0, 200);
    assert_eq!(post(http, "ana", 2, b"tarde").1["order"], last + 1);
}
