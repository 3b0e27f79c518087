//! Catalogue B: what a peer says of itself in the handshake is not believed.

use std::time::Duration;

use crate::hostile::Witness;
use orden_kit::programs::broker::Broker;
use orden_kit::zmtp::Speaker;

const JOIN: &[u8] = b"";
const SOON: Duration = Duration::from_secs(30);

#[test]
fn s17_routing_ids_of_all_kinds_forge_no_line() {
    let mut broker = Broker::in_memory(&[]);
    let address = broker.address().to_owned();
    let mut witness = Witness::new(&mut broker);
    let lengths = [256, 300, 8_000].map(|length| vec![b'x'; length]);
    for id in &lengths {
        let before = witness.broker.status().refused("bad_name");
        Speaker::join(&address, id).message(&[JOIN]);
        witness.await_one_more("bad_name", before);
        witness.is_served("23: a routing id too long");
    }
    // Before its handshake is done a peer may send 8 KiB.
    assert!(Speaker::join(&address, &vec![b'x'; 65_000]).is_closed_within(SOON));
    let before = witness.broker.status().refused("bad_name");
    Speaker::join(&address, b"Server").message(&[JOIN]);
    witness.await_one_more("bad_name", before);
    let ids: [(&str, &[u8]); 6] = [
        ("22: an empty routing id", b""),
        ("23: the longest routing id", &[b'x'; 255]),
        ("24: the form of a generated one", b"\0\x6B\x8B\x45\x68"),
        ("25: a zero byte within", b"a\0b"),
        (
            "25: control characters",
            b"a\r\n2026 INFO ana has joined\x1b[2J",
        ),
        ("25: no UTF-8", b"\xC3\x28\xF0"),
    ];
    for (name, id) in ids {
        let mut speaker = Speaker::join(&address, id);
        speaker.message(&[JOIN]);
        witness.is_served(name);
    }
    let said = witness.broker.program().complaints();
    assert!(
        !said.contains('\x1b') && !said.contains("\n2026 INFO ana"),
        "{said}"
    );
}

#[test]
fn b_21_metadata_is_not_believed() {
    let mut broker = Broker::in_memory(&[]);
    let address = broker.address().to_owned();
    let mut witness = Witness::new(&mut broker);
    let long = [b'n'; 255];
    let properties: [(&[u8], &[u8]); 8] = [
        (b"Socket-Type", b"DEALER"),
        (b"Identity", b"mallory"),
        (b"Identity", b"another"),
        (b"User-Id", b"witness"),
        (b"X-Connection", b"1"),
        (b"Peer-Address", b"127.0.0.1"),
        (b"__fd", b"0"),
        (&long, b""),
    ];
    let mut speaker = Speaker::join_as(&address, &properties);
    speaker.message(&[JOIN]);
    witness.is_served("21: metadata");
}

#[test]
fn a_20_other_types_of_socket() {
    let mut broker = Broker::in_memory(&[]);
    let address = broker.address().to_owned();
    let mut witness = Witness::new(&mut broker);
    for kind in [
        "PUB", "SUB", "PUSH", "PULL", "PAIR", "REP", "XPUB", "NOTHING", "ROUTER", "REQ",
    ] {
        let properties = [
            (&b"Socket-Type"[..], kind.as_bytes()),
            (b"Identity", kind.as_bytes()),
        ];
        let mut speaker = Speaker::join_as(&address, &properties);
        speaker.message(&[b"", JOIN]);
        witness.is_served(kind);
    }
}
