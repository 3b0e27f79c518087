//! The stage: keys of all kinds, and members in Rust who use them.

use std::path::{Path, PathBuf};

use orden::net::{generate_keys, read_public_key, read_secret_key};
use orden::wire::{Acked, ClientMessage, Name, OrderNumber, binary};
use tempfile::TempDir;

use orden_kit::programs::broker::Broker;

/// Whoever waits so long has failed.
const PATIENCE_MS: i32 = 30_000;
/// How long it is waited for what must not come.
pub(crate) const SILENCE_MS: i32 = 400;

/// Keys in a directory of their own, and those that are authorized.
pub(crate) struct Keys {
    directory: TempDir,
}

impl Keys {
    /// A broker's key, and nobody authorized.
    pub(crate) fn new() -> Self {
        let keys = Self {
            directory: TempDir::with_prefix("orden-keys-").unwrap(),
        };
        generate_keys(keys.directory.path(), "broker", Vec::new()).unwrap();
        std::fs::create_dir(keys.authorized()).unwrap();
        keys
    }

    /// Where the authorized keys are.
    pub(crate) fn authorized(&self) -> PathBuf {
        self.directory.path().join("authorized")
    }

    /// The path of a key file.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    /// Makes a key, for these names.
    pub(crate) fn make(&self, file: &str, names: &[&str]) {
        let names = names.iter().map(|name| Name::new(name.as_bytes()).unwrap());
        generate_keys(self.directory.path(), file, names.collect()).unwrap();
    }

    /// Makes a key and authorizes it.
    pub(crate) fn admit(&self, file: &str, names: &[&str]) {
        self.make(file, names);
        self.authorize(file);
    }

    /// Authorizes a key as its public file says.
    pub(crate) fn authorize(&self, file: &str) {
        let file = format!("{file}.key");
        std::fs::copy(self.path(&file), self.authorized().join(&file)).unwrap();
    }

    /// Takes a key off the list.
    pub(crate) fn remove(&self, file: &str) {
        std::fs::remove_file(self.authorized().join(format!("{file}.key"))).unwrap();
    }

    /// A broker that serves those who are authorized.
    pub(crate) fn broker(&self, flags: &[&str]) -> Broker {
        let (key, authorized) = (self.path("broker.key_secret"), self.authorized());
        let keys = ["--curve-key", text(&key), "--authorized", text(&authorized)];
        Broker::in_memory(&[&keys, flags].concat())
    }

    /// The options of a socket that has this key.
    pub(crate) fn give(&self, socket: &zmq::Socket, file: &str) {
        let secret = self.path(&format!("{file}.key_secret"));
        let (public, secret) = read_secret_key(&secret).unwrap();
        let server = read_public_key(&self.path("broker.key")).unwrap();
        socket.set_curve_publickey(public.as_bytes()).unwrap();
        socket.set_curve_secretkey(secret.as_bytes()).unwrap();
        socket.set_curve_serverkey(server.as_bytes()).unwrap();
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A peer: a DEALER that says what a test wants.
pub(crate) struct Peer {
    pub(crate) socket: zmq::Socket,
}

impl Peer {
    /// Connects under a routing id, with a key if there is one.
    pub(crate) fn connect(broker: &Broker, id: &str, key: Option<(&Keys, &str)>) -> Self {
        Self::connect_in(&zmq::Context::new(), broker, id, key)
    }

    /// The same in a context that others are in.
    pub(crate) fn connect_in(
        context: &zmq::Context,
        broker: &Broker,
        id: &str,
        key: Option<(&Keys, &str)>,
    ) -> Self {
        let socket = context.socket(zmq::DEALER).unwrap();
        if !id.is_empty() {
            socket.set_identity(id.as_bytes()).unwrap();
        }
        if let Some((keys, file)) = key {
            keys.give(&socket, file);
        }
        socket.set_linger(0).unwrap();
        socket.set_rcvtimeo(PATIENCE_MS).unwrap();
        socket.connect(broker.endpoint()).unwrap();
        Self { socket }
    }

    /// The same, and it joins in the binary dialect.
    pub(crate) fn join(broker: &Broker, id: &str, key: Option<(&Keys, &str)>) -> Self {
        let peer = Self::connect(broker, id, key);
        peer.send(&binary::encode_ack(Acked::Nothing));
        peer
    }

    pub(crate) fn send(&self, frame: &[u8]) {
        self.socket.send(frame, 0).unwrap();
    }

    /// Says a text in the binary dialect.
    pub(crate) fn say(&self, text: &str) {
        self.send(&[&[0; 33], text.as_bytes()].concat());
    }

    /// The next message: its number and text. Acknowledges it.
    pub(crate) fn hear(&self) -> (u64, String) {
        let frame = self.socket.recv_bytes(0).expect("a message");
        let number = u64::from_be_bytes(frame[24..32].try_into().unwrap());
        let Ok(ClientMessage::Text(text)) = binary::decode(&frame) else {
            panic!("{frame:?}")
        };
        self.send(&binary::encode_ack(Acked::UpTo(OrderNumber(number))));
        (number, String::from_utf8_lossy(&text).into_owned())
    }

    /// Hears until this text comes; gives its number.
    pub(crate) fn hear_until(&self, text: &str) -> u64 {
        loop {
            let (number, heard) = self.hear();
            if heard == text {
                return number;
            }
        }
    }

    /// Asserts that nothing comes.
    pub(crate) fn hears_nothing(&self) {
        self.socket.set_rcvtimeo(SILENCE_MS).unwrap();
        let heard = self.socket.recv_bytes(0);
        self.socket.set_rcvtimeo(PATIENCE_MS).unwrap();
        assert_eq!(heard, Err(zmq::Error::EAGAIN));
    }
}
