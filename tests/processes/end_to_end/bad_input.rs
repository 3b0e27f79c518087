//! What must not be, from every kind of peer: refused by name, counted, logged, and that is all.

use std::io::{Read, Write};
use std::net::TcpStream;

use orden::wire::native;
use orden::wire::reply::{self, BrokerMessage, Code};

use orden_kit::dealer::Dealer;
use orden_kit::plain::{Plain, ack_of, text_of};
use orden_kit::programs::broker::Broker;

/// A message of the binary dialect: what stands in the 24 bytes of the sign, the number, the flag.
fn binary(sign: u8, number: u64, flag: u8, payload: &[u8]) -> Vec<u8> {
    [&[sign; 24], &number.to_be_bytes()[..], &[flag], payload].concat()
}

/// Frames that are no message of a fixed dialect, and what is wrong with each.
fn refused_frames() -> Vec<(Vec<Vec<u8>>, &'static str)> {
    let mut two_to_the_64_plus_5 = binary(0, 5, 1, b"");
    two_to_the_64_plus_5[23] = 1;
    let mut most_negative = binary(0, 0, 0, b"text");
    most_negative[0] = 0x80;
    let mut cases: Vec<(Vec<Vec<u8>>, _)> = [
        (vec![0], "truncated"),
        (vec![0; 31], "truncated"),
        (vec![0xFF; 32], "truncated"),
        (binary(0, 7, 2, b"text"), "bad_flag"),
        (binary(0, 7, 0x80, b"text"), "bad_flag"),
        (binary(0, 7, 0xFF, b"text"), "bad_flag"),
        (binary(0, 0, 1, b"surplus"), "trailing_bytes"),
        (two_to_the_64_plus_5, "order_out_of_range"),
        (binary(0xFF, 0, 0, b"text"), "order_out_of_range"),
        (binary(0xFF, u64::MAX - 1, 1, b""), "order_out_of_range"),
        (most_negative, "not_json"),
    ]
    .map(|(frame, name)| (vec![frame], name))
    .into();
    for (text, name) in [
        ("{", "not_json"),
        ("hola", "not_json"),
        ("[]", "not_json"),
        (" ", "not_json"),
        (r#"{"timeStamp": 0, "isACK": true} {}"#, "not_json"),
        ("{}", "bad_json_fields"),
        (r#"{"timeStamp": 0, "isACK": false}"#, "bad_json_fields"),
        (r#"{"timeStamp": "0", "isACK": true}"#, "bad_json_fields"),
        (r#"{"timeStamp": 0, "isACK": 1}"#, "bad_json_fields"),
        (r#"{"timeStamp": 17.0, "isACK": true}"#, "bad_json_fields"),
        (
            r#"{"timeStamp": 0, "isACK": false, "message": null}"#,
            "bad_json_fields",
        ),
        (
            r#"{"timeStamp": 0, "timeStamp": 0, "isACK": true}"#,
            "bad_json_fields",
        ),
        (
            r#"{"timeStamp": 18446744073709551621, "isACK": true}"#,
            "order_out_of_range",
        ),
        (r#"{"timeStamp": -2, "isACK": true}"#, "order_out_of_range"),
    ] {
        cases.push((vec![text.into()], name));
    }
    cases.push((vec![b"{\"message\": \"\xC3\x28\"}".to_vec()], "not_json"));
    let message = binary(0, 0, 0, b"text");
    let surplus = [&message[..], &message].map(<[u8]>::to_vec).to_vec();
    let delimiters = [&b""[..], b"", &message].map(<[u8]>::to_vec).to_vec();
    cases.push((surplus, "too_many_frames"));
    cases.push((delimiters, "too_many_frames"));
    cases.push((vec![vec![]; 1000], "too_many_frames"));
    cases
}

#[test]
fn a_peer_that_says_nonsense_stays_a_member_and_harms_nobody() {
    let broker = Broker::in_memory(&[]);
    let mut eva = Dealer::member(broker.endpoint(), "eva");
    let mut ana = Dealer::member(broker.endpoint(), "ana");
    let mut next = ana.expects() - 1;
    assert_eq!(eva.next_until("ana: here").last().unwrap().order, next);
    for (frames, name) in refused_frames() {
        let before = broker.status().refused(name);
        let frames: Vec<_> = frames.iter().map(Vec::as_slice).collect();
        ana.send(&frames);
        ana.say(name);
        // It took no number, and changed nothing for anybody.
        next += 1;
        for peer in [&mut ana, &mut eva] {
            let heard = peer.next();
            assert_eq!(
                (heard.order, heard.text()),
                (next, &*format!("ana: {name}"))
            );
        }
        let counted =
            |status: &orden_kit::programs::status::Status| status.refused(name) == before + 1;
        broker.await_status(name, counted);
    }
    broker
        .program()
        .complaint(0, "refused from ana: frame too short");
    let (end, _) = broker.stop();
    let lines = end
        .complaint
        .lines()
        .filter(|line| line.contains("refused from ana"));
    assert!(
        lines.count() <= 20,
        "a peer's complaints about itself are limited"
    );
}

#[test]
fn a_stranger_that_says_nonsense_is_no_member() {
    let broker = Broker::in_memory(&[]);
    let mut eva = Dealer::member(broker.endpoint(), "eva");
    let stranger = Dealer::connect(broker.endpoint(), "stranger");
    let cases = refused_frames();
    for (frames, _) in &cases {
        let frames: Vec<_> = frames.iter().map(Vec::as_slice).collect();
        stranger.send(&frames);
    }
    // What it says last is the first that counts.
    stranger.say("hola");
    assert_eq!(eva.next().text(), "Server: stranger has joined the net");
    assert_eq!(eva.next().text(), "stranger: hola");
    broker
        .program()
        .complaint(0, "refused from an unknown peer: ");
    for name in ["truncated", "bad_flag", "too_many_frames"] {
        let expected = cases.iter().filter(|(_, case)| *case == name).count() as u64;
        broker.await_status(name, |status| status.refused(name) == expected);
    }
}

/// Sends a native frame and reads the refusal that it gets.
#[track_caller]
fn refused(peer: &Dealer, frame: &[u8], code: Code) {
    peer.send(&[frame]);
    let answer = peer.receive().pop().unwrap();
    match reply::decode(&answer) {
        Ok(BrokerMessage::Refusal(refusal)) => assert_eq!(refusal.code, code, "{}", refusal.text),
        other => panic!("{other:?} instead of {code:?}"),
    }
}

#[test]
fn a_native_peer_is_told_what_was_wrong() {
    let broker = Broker::in_memory(&[]);
    let peer = Dealer::connect(broker.endpoint(), "");
    refused(&peer, &native::ping(), Code::NoSession);
    for (frame, name) in [
        (&b"O"[..], "truncated"),
        (b"O\x02\x01\x00", "unsupported_version"),
        (b"O\x01\x10\x00", "unexpected_kind"),
        (b"O\x01\x7F\x00", "unexpected_kind"),
        (b"O\x01\x05\x01", "field_out_of_range"),
        (b"O\x01\x05\x00surplus", "trailing_bytes"),
        (
            b"O\x01\x02\x00\xFF\xFF\xFF\xFF\0\0\0\0\0\0\0\x01",
            "truncated",
        ),
        (
            b"O\x01\x01\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            "bad_name",
        ),
        (
            b"O\x01\x01\x01\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0a",
            "bad_name",
        ),
    ] {
        let before = broker.status().refused(name);
        refused(&peer, frame, Code::Malformed);
        broker.await_status(name, |status| status.refused(name) == before + 1);
    }
}

#[test]
fn a_message_beyond_the_limit_is_refused_and_a_frame_far_beyond_it_is_not_read() {
    let broker = Broker::in_memory(&["--max-message-bytes", "1000"]);
    let mut eva = Dealer::member(broker.endpoint(), "eva");
    let mut ana = Dealer::join(broker.endpoint(), "ana");
    ana.say_bytes(&[b'x'; 1000]);
    assert_eq!(ana.next().payload, [b'x'; 1000]);
    ana.say_bytes(&[b'x'; 1001]);
    broker.await_status("the refusal", |status| status.refused("too_large") == 1);
    // More than a frame can have ends the connection, which libzmq makes again.
    ana.say_bytes(&vec![b'x'; 100_000]);
    eva.next_until("Server: ana has joined the net");
    assert_eq!(eva.next().payload, [b'x'; 1000]);
    eva.say("hola");
    assert_eq!(eva.next().text(), "eva: hola");
    assert_eq!(ana.next().text(), "eva: hola");
}

#[test]
fn what_is_no_zeromq_is_hung_up_on() {
    let broker = Broker::in_memory(&[]);
    let address = broker.address();
    let noise: Vec<u8> = (0..=255).cycle().skip(7).take(1 << 16).collect();
    for bytes in [
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        vec![0; 1 << 16],
        vec![0xFF; 1 << 16],
        noise,
    ] {
        let mut stream = TcpStream::connect(address).unwrap();
        // The broker may hang up before it has read it all.
        stream.write_all(&bytes).ok();
        stream.shutdown(std::net::Shutdown::Write).ok();
        stream.read_to_end(&mut Vec::new()).ok();
    }
    let mut ana = Dealer::join(broker.endpoint(), "ana");
    ana.say("hola");
    assert_eq!(ana.next().text(), "ana: hola");
}

#[test]
fn plain_tcp_peers_send_nonsense_too() {
    let broker = Broker::in_memory(&["--tcp-address", ":0"]);
    let mut eva = Dealer::member(broker.endpoint(), "eva");
    let mut plain = Plain::connect(broker.tcp_address());
    let joined = eva.next();
    assert_eq!(
        joined.text(),
        format!("Server: {} has joined the net", plain.name())
    );
    let mut next = joined.order;
    let mut bad_flag = text_of("text");
    bad_flag[32] = 7;
    let surplus = [&ack_of(0)[..], b"surplus"].concat();
    for (bytes, name) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "no_header"),
        (&bad_flag, "bad_flag"),
        (&surplus, "no_header"),
        (&ack_of(1 << 40), "ack_ahead"),
        (&binary(0xFF, 7, 0, b"text"), "order_out_of_range"),
    ] {
        let before = broker.status().refused(name);
        plain.send(bytes);
        broker.await_status(name, |status| status.refused(name) == before + 1);
        plain.say(name);
        next += 1;
        for heard in [eva.next(), plain.next(Some(next - 1))] {
            assert_eq!((heard.order, heard.text()), (next, name));
        }
    }
}
