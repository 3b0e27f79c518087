//! Catalogue A: what is wrong before anybody is a member. Most of it ends the connection.

use std::time::Duration;

use crate::hostile::Witness;
use orden_kit::poll;
use orden_kit::programs::broker::Broker;
use orden_kit::zmtp::{COMMAND, LONG, MORE, Speaker, frame, greeting, message, ready};

const SOON: Duration = Duration::from_secs(10);

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It is closed.
    Closed,
    /// It may be closed or not: nobody is harmed either way.
    Any,
}
use End::{Any, Closed};

/// Bytes from the first on.
fn greetings() -> Vec<(&'static str, Vec<u8>, End)> {
    let tls = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3][..], &[7; 512]].concat();
    let noise: Vec<u8> = (0..1 << 20)
        .map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24).to_be_bytes()[3])
        .collect();
    vec![
        ("1: nothing", Vec::new(), Closed),
        (
            "2: half a greeting",
            greeting(3, 1, "NULL", false)[..40].to_vec(),
            Closed,
        ),
        ("3: a MiB of zeros", vec![0; 1 << 20], Closed),
        ("3: a MiB of 0xFF", vec![0xFF; 1 << 20], Closed),
        ("3: a MiB of noise", noise, Closed),
        (
            "4: HTTP",
            b"GET / HTTP/1.1\r\nHost: orden\r\n\r\n".to_vec(),
            Any,
        ),
        ("4: TLS", tls, Any),
        ("4: SSH", b"SSH-2.0-OpenSSH_9.9\r\n".to_vec(), Any),
    ]
}

/// Greetings that are nearly right, and what follows them.
fn handshakes() -> Vec<(&'static str, Vec<u8>, End)> {
    let dealer = ready(&[(b"Socket-Type", b"DEALER")]);
    let after = |greeting: Vec<u8>, rest: &[u8]| [&greeting, rest].concat();
    vec![
        (
            "7: a mechanism that is not spoken",
            greeting(3, 1, "PLAIN", false),
            Closed,
        ),
        (
            "7: a mechanism that there is not",
            greeting(3, 1, "NONSENSE", false),
            Closed,
        ),
        (
            "8: version 3.255",
            after(greeting(3, 255, "NULL", false), &dealer),
            Any,
        ),
        (
            "8: version 255.0",
            after(greeting(255, 0, "NULL", false), &dealer),
            Any,
        ),
        (
            "9: two servers",
            after(greeting(3, 1, "NULL", true), &dealer),
            Any,
        ),
        (
            "18: READY cut short",
            after(greeting(3, 1, "NULL", false), &[COMMAND, 200, 5]),
            Closed,
        ),
        (
            "21: no READY but a message",
            after(greeting(3, 1, "NULL", false), &message(&[b"x"])),
            Closed,
        ),
        (
            "21: a value longer than there is",
            after(
                greeting(3, 1, "NULL", false),
                &frame(COMMAND, b"\x05READY\x0bSocket-Type\xff\xff\xff\xffDEALER"),
            ),
            Closed,
        ),
        (
            "21: a name without a value",
            after(
                greeting(3, 1, "NULL", false),
                &frame(COMMAND, b"\x05READY\xffSocket-Type"),
            ),
            Closed,
        ),
    ]
}

/// Bytes after a handshake that went well.
fn frames() -> Vec<(&'static str, Vec<u8>, End)> {
    let long = |length: u64| [&[LONG][..], &length.to_be_bytes()].concat();
    let ping = |context: &[u8]| frame(COMMAND, &[b"\x04PING\xff\xff", context].concat());
    vec![
        ("15: a frame of 2^40 bytes", long(1 << 40), Closed),
        ("15: a frame of 2^63 + 5 bytes", long((1 << 63) + 5), Closed),
        ("15: a frame of 2^64 - 1 bytes", long(u64::MAX), Closed),
        (
            "16: a frame beyond the largest",
            frame(0, &vec![b'x'; 70_000 + 4096]),
            Closed,
        ),
        ("17: reserved flags", frame(0xF8 & !COMMAND, &[0; 33]), Any),
        (
            "18: a command with more to come",
            frame(COMMAND | MORE, b"\x04PING\0\0"),
            Any,
        ),
        (
            "18: an unknown command",
            frame(COMMAND, b"\x07UNKNOWN"),
            Any,
        ),
        ("18: a PING with 17 bytes", ping(&[7; 17]), Any),
        ("18: 10,000 PINGs", ping(b"x").repeat(10_000), Any),
        ("19: SUBSCRIBE", frame(COMMAND, b"\x09SUBSCRIBEtopic"), Any),
        ("19: CANCEL", frame(COMMAND, b"\x06CANCELtopic"), Any),
        (
            "34: a message that never ends",
            frame(MORE, &[7; 1000]).repeat(2_000),
            Closed,
        ),
    ]
}

#[test]
fn s11_what_comes_before_membership_costs_a_connection() {
    let mut broker =
        Broker::in_memory(&["--handshake-timeout", "1", "--max-message-bytes", "4096"]);
    let address = broker.address().to_owned();
    let mut witness = Witness::new(&mut broker);
    for (name, bytes, end) in greetings().into_iter().chain(handshakes()) {
        let mut speaker = Speaker::connect(&address);
        speaker.say(&bytes);
        witness.is_served(name);
        assert!(
            end == Any || speaker.is_closed_within(SOON),
            "{name}: still open"
        );
    }
    for (name, bytes, end) in frames() {
        let mut speaker = Speaker::join(&address, b"stranger");
        speaker.say(&bytes);
        witness.is_served(name);
        assert!(
            end == Any || speaker.is_closed_within(SOON),
            "{name}: still open"
        );
    }
}

#[test]
fn a_2_one_byte_now_and_then_does_not_hold_a_handshake_open() {
    let mut broker = Broker::in_memory(&["--handshake-timeout", "1"]);
    let address = broker.address().to_owned();
    let mut witness = Witness::new(&mut broker);
    let mut speaker = Speaker::connect(&address);
    let bytes = greeting(3, 1, "NULL", false);
    let closed = bytes.iter().any(|byte| {
        let said = speaker.say(&[*byte]);
        !said || speaker.is_closed_within(Duration::from_millis(100))
    });
    assert!(closed, "64 bytes took six seconds");
    witness.is_served("a slow greeting");
}

#[test]
fn a_61_connections_come_and_go() {
    let mut broker = Broker::in_memory(&["--max-connections-per-second", "100000"]);
    let address = broker.address().to_owned();
    let mut witness = Witness::new(&mut broker);
    let descriptors = |witness: &Witness<'_>| witness.broker.usage().descriptors;
    let before = descriptors(&witness);
    for round in 0..1_000_u32 {
        let mut speaker = Speaker::join(&address, format!("guest {}", round % 7).as_bytes());
        speaker.message(&[b""]);
    }
    witness.is_served("a thousand connections");
    let mut silent: Vec<_> = (0..300).map(|_| Speaker::connect(&address)).collect();
    witness.is_served("three hundred silent ones");
    silent.clear();
    let given_back = || (descriptors(&witness) <= before + 10).then_some(());
    poll(given_back, "a descriptor for each that was taken");
}

#[test]
fn a_28_too_many_connections_a_second_are_cut() {
    let mut broker = Broker::in_memory(&["--max-connections-per-second", "20"]);
    let address = broker.address().to_owned();
    let mut witness = Witness::new(&mut broker);
    let mut speakers: Vec<_> = (0..200).map(|_| Speaker::connect(&address)).collect();
    witness.await_one_more("too_many_connections", 0);
    let cut = speakers.iter_mut().filter_map(|speaker| {
        speaker
            .is_closed_within(Duration::from_millis(20))
            .then_some(())
    });
    assert!(cut.count() > 0, "somebody is cut");
    witness.is_served("a rush");
}
