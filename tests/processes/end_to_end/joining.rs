//! Who is a member, under which name, from where on, and in which dialect.

use std::collections::HashSet;

use orden::wire::Dialect;

use orden_kit::dealer::Dealer;
use orden_kit::programs::broker::Broker;

fn has_joined(name: &str) -> String {
    format!("Server: {name} has joined the net")
}

/// A broker, and a member that sees whatever is ordered.
fn watched() -> (Broker, Dealer) {
    let broker = Broker::in_memory(&[]);
    let mut eva = Dealer::join(broker.endpoint(), "eva");
    eva.say("here");
    assert_eq!(
        eva.next().order,
        1,
        "its own notice was for others, and there were none"
    );
    (broker, eva)
}

#[test]
fn whatever_is_said_first_joins() {
    let (broker, mut eva) = watched();
    let endpoint = broker.endpoint();
    let probing = Dealer::connect_with(endpoint, "probe", |socket| socket.set_probe_router(true));
    assert_eq!(eva.next().text(), has_joined("probe"));
    let asking = Dealer::join(endpoint, "ack");
    assert_eq!(eva.next().text(), has_joined("ack"));
    let mut talking = Dealer::connect(endpoint, "text");
    talking.say("hola");
    assert_eq!(eva.next().text(), has_joined("text"));
    let last = eva.next();
    assert_eq!((last.order, last.text()), (5, "text: hola"));

    // The deliveries of each begin right after its own notice.
    for (mut peer, first, text) in [(probing, 3, "ack"), (asking, 4, "text")] {
        let heard = peer.next();
        assert_eq!((heard.order, heard.text()), (first, &*has_joined(text)));
    }
    assert_eq!(talking.next(), last);
}

#[test]
fn an_unknown_name_can_say_after_which_message() {
    let (broker, mut eva) = watched();
    for text in ["uno", "dos", "tres"] {
        eva.say(text);
        eva.next();
    }
    let mut ana = Dealer::connect(broker.endpoint(), "ana");
    ana.ack(2);
    for (order, text) in [(3, "eva: dos"), (4, "eva: tres")] {
        let heard = ana.next();
        assert_eq!((heard.order, heard.text()), (order, text));
    }
    // It is a member like others: its own notice comes, as it began before it.
    assert_eq!(ana.next().text(), has_joined("ana"));
    // Nobody can hold what there is not; from there on means from now on.
    let mut ahead = Dealer::connect(broker.endpoint(), "ahead");
    ahead.ack(1000);
    ahead.say("hola");
    assert_eq!(ahead.next().text(), "ahead: hola");
    broker.await_status("the refusal", |status| status.refused("ack_ahead") == 1);
}

#[test]
fn whoever_puts_an_empty_frame_first_gets_one_first() {
    let (broker, mut eva) = watched();
    let mut ana = Dealer::connect(broker.endpoint(), "ana");
    ana.delimit(true);
    ana.ack_nothing();
    assert_eq!(eva.next().text(), has_joined("ana"));
    eva.say("hola");
    assert_eq!(ana.next().text(), "eva: hola");
    eva.next();
    ana.delimit(false);
    ana.ack(2);
    broker.await_status("the ACK", |status| status.members["ana"].floor == 4);
    eva.say("adiós");
    assert_eq!(ana.next().text(), "eva: adiós");
}

#[test]
fn a_req_socket_is_served_an_answer_for_a_question() {
    let (broker, mut eva) = watched();
    let context = zmq::Context::new();
    let ana = context.socket(zmq::REQ).unwrap();
    ana.set_identity(b"ana").unwrap();
    ana.set_rcvtimeo(60_000).unwrap();
    ana.set_linger(0).unwrap();
    ana.connect(broker.endpoint()).unwrap();
    ana.send(
        r#"{"timeStamp": 0, "isACK": false, "message": "ana: hola"}"#,
        0,
    )
    .unwrap();
    let answer = ana.recv_string(0).unwrap().unwrap();
    assert_eq!(
        answer,
        r#"{"timeStamp":3,"isACK":false,"message":"ana: hola"}"#
    );
    assert_eq!(eva.next().text(), has_joined("ana"));
    assert_eq!(eva.next().text(), "ana: hola");
    eva.say("y tú");
    let expected = r#"{"timeStamp":4,"isACK":false,"message":"eva: y tú"}"#;
    let mut next = answer.clone();
    while next != expected {
        assert_eq!(
            next, answer,
            "what was slow to be acknowledged may come again"
        );
        ana.send(r#"{"timeStamp": 3, "isACK": true}"#, 0).unwrap();
        next = ana.recv_string(0).unwrap().unwrap();
    }
}

#[test]
fn everybody_is_answered_in_the_dialect_last_spoken() {
    let (broker, mut eva) = watched();
    let mut ana = Dealer::join(broker.endpoint(), "ana");
    assert_eq!(eva.next().text(), has_joined("ana"));
    for dialect in [Dialect::Json, Dialect::Binary, Dialect::Json] {
        ana.speak(dialect);
        ana.say("olá");
        let heard = ana.next();
        assert_eq!((heard.text(), heard.dialect), ("ana: olá", dialect));
        // Others are answered as they speak.
        let seen = eva.next();
        assert_eq!((seen.order, seen.dialect), (heard.order, Dialect::Binary));
    }
    drop(ana);
    // A probe is in no dialect: she is spoken to as before.
    let mut ana = Dealer::connect_with(broker.endpoint(), "ana", |ana| ana.set_probe_router(true));
    eva.say("¿otra vez?");
    let heard = ana.next_until("eva: ¿otra vez?");
    assert!(heard.iter().all(|heard| heard.dialect == Dialect::Json));
}

#[test]
fn what_is_not_text_is_shown_to_json_peers_as_far_as_it_is() {
    let (broker, mut eva) = watched();
    let mut json = Dealer::connect(broker.endpoint(), "json");
    json.speak(Dialect::Json);
    json.ack_nothing();
    assert_eq!(eva.next().text(), has_joined("json"));
    eva.say_bytes(b"eva: \xF0\x28 caf\xC3\xA9 \xFF");
    assert_eq!(json.next().text(), "eva: \u{FFFD}( café \u{FFFD}");
    assert_eq!(eva.next().payload, b"eva: \xF0\x28 caf\xC3\xA9 \xFF");
    broker.await_status("the count", |status| status.count("altered") == 1);
}

#[test]
fn a_generated_routing_id_is_shown_to_nobody() {
    let broker = Broker::in_memory(&["--log-level", "trace"]);
    let mut eva = Dealer::member(broker.endpoint(), "eva");
    let mut names = HashSet::new();
    for _ in 0..5 {
        let mut guest = Dealer::connect(broker.endpoint(), "");
        guest.say_bytes(b"hola");
        guest.send(&[b"nonsense"]);
        let notice = eva.next();
        let name = notice.text().strip_prefix("Server: ").unwrap();
        let name = name.strip_suffix(" has joined the net").unwrap().to_owned();
        let digits = name.strip_prefix("guest-").expect(&name);
        assert!(digits.len() == 16 && digits.chars().all(|digit| digit.is_ascii_hexdigit()));
        // It is served, and what it said is nobody's: not even under its name.
        assert_eq!(eva.next().text(), "hola");
        assert_eq!(guest.next().text(), "hola");
        names.insert(u64::from_str_radix(digits, 16).unwrap());
        drop(guest);
        // Nobody could come back to it.
        eva.say("¿quién?");
        eva.next_until(&format!("Server: {name} has left the net"));
    }
    // Random, not counted: no two are near each other.
    assert_eq!(names.len(), 5);
    for name in &names {
        let near = |other: &&u64| name.abs_diff(**other) < 1 << 32;
        assert_eq!(names.iter().filter(near).count(), 1, "{names:x?}");
    }
    broker.program().complaint(0, "refused from guest-");
    assert!(!broker.program().complaints().contains('\0'));
}

#[test]
fn what_a_superseded_connection_had_said_is_not_a_strangers() {
    let (broker, mut eva) = watched();
    // Each connection is replaced while the broker still reads what it has said.
    for _ in 0..10 {
        let mut ana = Dealer::join(broker.endpoint(), "ana");
        for number in 0..300 {
            ana.say(&number.to_string());
        }
        ana.next();
    }
    let mut ana = Dealer::connect(broker.endpoint(), "ana");
    ana.say("the end");
    ana.next_until("ana: the end");
    // libzmq may have thrown away what it had not read, but nobody has joined but ana.
    eva.say("the end");
    let heard = eva.next_until("eva: the end");
    let notices = heard
        .iter()
        .filter(|heard| heard.text().starts_with("Server: "));
    let notices: Vec<_> = notices.map(orden_kit::dealer::Heard::text).collect();
    assert_eq!(notices, [has_joined("ana")]);
}

#[test]
fn a_name_cannot_forge_a_line() {
    let broker = Broker::in_memory(&[]);
    let mut ana = Dealer::connect(broker.endpoint(), "ana\n\u{1b}[31m[ERROR] all is lost");
    ana.say("hola");
    ana.next();
    let lines = broker.program().complaint(0, "has joined");
    let line = lines.last().unwrap();
    assert!(
        line.contains("all is lost") && !line.contains('\u{1b}'),
        "{line:?}"
    );
}

#[test]
fn the_brokers_own_name_is_taken() {
    let (broker, mut eva) = watched();
    let server = Dealer::connect(broker.endpoint(), "Server");
    server.say_bytes(b"Server: eva has left the net");
    broker.await_status("the refusal", |status| status.refused("bad_name") == 1);
    eva.say("hola");
    assert_eq!(eva.next().order, 2, "nothing was ordered between");
}
