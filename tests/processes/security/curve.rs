//! Encryption, and who is let in.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};
use std::thread::spawn;

use orden::wire::reply::{BrokerMessage, Code, decode};

use crate::security::stage::{Keys, Peer, text};
use orden_kit::programs::broker::{self, Broker};
use orden_kit::programs::python;
use orden_kit::words;

#[test]
fn s1_without_encryption_nothing_is_served_beyond_this_machine() {
    for address in ["*:0", "0.0.0.0:0"] {
        let (code, said) = run(&["--address", address, "--in-memory"]);
        assert!(code == 1 && said.contains("--insecure"), "{code} {said}");
    }
    let raw = ["--address", ":0", "--tcp-address", "*:0", "--in-memory"];
    assert_eq!(run(&raw).0, 1);
    Broker::in_memory(&["--insecure", "--tcp-address", "*:0"]).tcp_address();
}

#[test]
fn s1_the_raw_address_stays_at_home_with_keys_too() {
    let keys = Keys::new();
    let (key, list) = (keys.path("broker.key_secret"), keys.authorized());
    let flags = ["--address", "*:0", "--in-memory", "--tcp-address", "*:0"];
    let guarded = ["--curve-key", text(&key), "--authorized", text(&list)];
    assert_eq!(run(&[&flags[..], &guarded].concat()).0, 1);
}

#[test]
fn s2_libzmq_is_new_enough_and_has_curve() {
    assert!(zmq::version() >= (4, 3, 5));
    assert_eq!(zmq::has("curve"), Some(true));
}

#[test]
fn s3_only_listed_keys_get_in() {
    let keys = Keys::new();
    keys.admit("ana", &["ana"]);
    keys.make("eve", &["eve"]);
    let broker = keys.broker(&[]);
    let eve = Peer::join(&broker, "eve", Some((&keys, "eve")));
    let nobody = Peer::join(&broker, "ana", None);
    let ana = Peer::join(&broker, "ana", Some((&keys, "ana")));
    ana.say("ana: hola");
    ana.hear_until("ana: hola");
    broker.await_refused("unknown_key", 1);
    eve.hears_nothing();
    nobody.hears_nothing();
}

#[test]
fn s4_a_removed_key_is_out_within_a_second_and_a_new_one_gets_in() {
    let keys = Keys::new();
    keys.admit("ana", &["ana"]);
    keys.admit("bea", &["bea"]);
    keys.make("eva", &["eva"]);
    let broker = keys.broker(&[]);
    let ana = Peer::join(&broker, "ana", Some((&keys, "ana")));
    let bea = hello(&broker, "bea", (&keys, "bea"));
    welcomed(&bea);
    keys.remove("bea");
    // What is ordered from the second on is not for bea any more.
    broker.program().complaint(0, "1 keys are authorized now");
    let refusal = frame_of(&bea, |message| matches!(message, BrokerMessage::Refusal(_)));
    let Ok(BrokerMessage::Refusal(refusal)) = decode(&refusal) else {
        panic!()
    };
    assert_eq!(refusal.code, Code::NotAllowed);
    ana.say("ana: among us");
    ana.hear_until("ana: among us");
    bea.hears_nothing();
    keys.authorize("eva");
    broker.program().complaint(0, "2 keys are authorized now");
    let eva = Peer::join(&broker, "eva", Some((&keys, "eva")));
    eva.say("eva: hola");
    ana.hear_until("eva: hola");
}

#[test]
fn s5_a_name_belongs_to_its_key_in_every_dialect() {
    let keys = Keys::new();
    keys.admit("ana", &["ana"]);
    keys.admit("eve", &["eve"]);
    keys.admit("any", &[]);
    let broker = keys.broker(&[]);
    let ana = Peer::join(&broker, "ana", Some((&keys, "ana")));
    ana.say("ana: first");
    ana.hear_until("ana: first");
    for key in ["eve", "any"] {
        // libzmq does not even read a second connection under a routing id that is in use.
        let thief = Peer::join(&broker, "ana", Some((&keys, key)));
        thief.say("ana: I am eve");
        let native = hello(&broker, "ana", (&keys, key));
        assert_eq!(refused(&native), Code::NotAllowed);
        thief.hears_nothing();
    }
    ana.say("ana: last");
    let (first, last) = ana.hear();
    assert_eq!(
        (last.as_str(), first),
        ("ana: last", 2),
        "nobody else has spoken"
    );
}

#[test]
fn s15_secret_keys_are_looked_after() {
    let keys = Keys::new();
    keys.admit("ana", &["ana"]);
    let (key, list) = (keys.path("broker.key_secret"), keys.authorized());
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&key), 0o600);
    let secret = std::fs::read_to_string(&key).unwrap();
    let secret = secret
        .split("secret-key = \"")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();

    let broker = keys.broker(&["--log-level", "trace"]);
    Peer::join(&broker, "ana", Some((&keys, "ana"))).hear_until_joined();
    assert!(!broker.program().complaints().contains(secret));

    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o604)).unwrap();
    let flags = ["--address", ":0", "--in-memory"];
    let guarded = ["--curve-key", text(&key), "--authorized", text(&list)];
    let (code, said) = run(&[&flags[..], &guarded].concat());
    assert!(code == 1 && said.contains("chmod o= "), "{code} {said}");
    assert!(!said.contains(secret));
}

#[test]
fn s19_who_may_only_receive_does_not_publish() {
    let keys = Keys::new();
    keys.admit("ana", &["ana"]);
    keys.make("bea", &["bea"]);
    let public = std::fs::read_to_string(keys.path("bea.key")).unwrap();
    let narrow = public.replace("curve\n", "    may = \"receive\"\ncurve\n");
    std::fs::write(keys.authorized().join("bea.key"), narrow).unwrap();
    let broker = keys.broker(&[]);
    let bea = Peer::join(&broker, "bea", Some((&keys, "bea")));
    broker.program().complaint(0, "bea has joined");
    let ana = Peer::join(&broker, "ana", Some((&keys, "ana")));
    assert_eq!(bea.hear().1, "Server: ana has joined the net");
    bea.say("bea: may I?");
    broker.await_refused("not_allowed", 1);
    ana.say("ana: no");
    assert_eq!(bea.hear().1, "ana: no");
}

#[test]
fn pyzmq_peers_with_listed_keys_work_in_every_dialect() {
    let keys = Keys::new();
    let files = ["binary_peer.py", "json_peer.py", "native_peer.py"];
    for (file, name) in files.iter().zip(["ana", "bea", "eva"]) {
        // A key that is on the list without a name may use any that nobody owns.
        let names = [name];
        keys.admit(name, if name == "eva" { &[] } else { &names[..] });
        let broker = keys.broker(&[]);
        let (own, server) = (
            keys.path(&format!("{name}.key_secret")),
            keys.path("broker.key"),
        );
        let address = ["--address", broker.endpoint(), "--name", name];
        let curve = ["--curve-key", text(&own), "--server-key", text(&server)];
        let script = ["--publish", "3", "--expect", "3"];
        let peer = python::start(file, &[&address[..], &curve, &script].concat());
        let expected: Vec<_> = (1..=3)
            .map(|n| format!("{n}\t{name}: message {n}"))
            .collect();
        assert_eq!(peer.finish(), expected, "{file}");
    }
}

#[test]
fn s10_what_passes_cannot_be_read() {
    const SECRET: &str = "the treasure lies under the third palm tree";
    let keys = Keys::new();
    keys.admit("ana", &["ana"]);
    let encrypted = recorded(&keys.broker(&[]), Some((&keys, "ana")), SECRET);
    assert!(!contains(&encrypted, SECRET.as_bytes()) && !contains(&encrypted, b"ana"));
    // The same without keys: the recorder sees what there is to see.
    let open = recorded(&Broker::in_memory(&[]), None, SECRET);
    assert!(contains(&open, SECRET.as_bytes()));
}

/// Runs the program to its end, and gives its exit code and what it complained about.
fn run(arguments: &[&str]) -> (i32, String) {
    let end = broker::run(broker::command().args(arguments));
    (end.code().unwrap(), end.complaint)
}

/// All bytes, in both directions, of a member that says a text and hears it.
fn recorded(broker: &Broker, key: Option<(&Keys, &str)>, secret: &str) -> Vec<u8> {
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = proxy.local_addr().unwrap();
    let (to, record) = (
        broker.address().to_owned(),
        Arc::new(Mutex::new(Vec::new())),
    );
    let recording = Arc::clone(&record);
    spawn(move || {
        let (client, _) = proxy.accept().unwrap();
        let server = TcpStream::connect(to).unwrap();
        let ways = [
            (client.try_clone(), server.try_clone()),
            (Ok(server), Ok(client)),
        ];
        for (from, to) in ways {
            let (mut from, mut to, record) = (from.unwrap(), to.unwrap(), Arc::clone(&recording));
            spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(count @ 1..) = from.read(&mut bytes) {
                    record.lock().unwrap().extend_from_slice(&bytes[..count]);
                    if to.write_all(&bytes[..count]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.set_identity(b"ana").unwrap();
    if let Some((keys, file)) = key {
        keys.give(&socket, file);
    }
    socket.set_rcvtimeo(30_000).unwrap();
    socket.connect(&format!("tcp://{address}")).unwrap();
    let peer = Peer { socket };
    peer.say(secret);
    peer.hear_until(secret);
    drop(peer);
    let record = record.lock().unwrap();
    record.clone()
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

impl Peer {
    fn hear_until_joined(&self) {
        self.say("ana: hola");
        self.hear_until("ana: hola");
    }
}

/// A native peer that has said hello.
fn hello(broker: &Broker, name: &str, key: (&Keys, &str)) -> Peer {
    let peer = Peer::connect(broker, "", Some(key));
    peer.send(&words::hello(name.as_bytes(), true).encode());
    peer
}

fn welcomed(peer: &Peer) {
    frame_of(peer, |message| matches!(message, BrokerMessage::Welcome(_)));
}

fn refused(peer: &Peer) -> Code {
    let frame = frame_of(peer, |_| true);
    match decode(&frame) {
        Ok(BrokerMessage::Refusal(refusal)) => refusal.code,
        other => panic!("{other:?}"),
    }
}

/// The next frame of a kind.
fn frame_of(peer: &Peer, wanted: impl Fn(&BrokerMessage<'_>) -> bool) -> Vec<u8> {
    loop {
        let frame = peer.socket.recv_bytes(0).expect("a frame");
        if decode(&frame).is_ok_and(|message| wanted(&message)) {
            return frame;
        }
    }
}
