//! The stage: a broker as a process, keys of all kinds, and members in Rust who use them.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::spawn;
use std::time::Duration;

use orden::broker::{generate_keys, read_public_key, read_secret_key};
use orden::wire::{Acked, ClientMessage, Name, OrderNumber, binary};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Whoever waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(30);
const PATIENCE_MS: i32 = 30_000;
/// How long it is waited for what must not come.
pub(crate) const SILENCE_MS: i32 = 400;

/// A broker that runs until it is dropped.
pub(crate) struct Broker {
    child: Child,
    said: Arc<Mutex<String>>,
    pub(crate) endpoint: String,
    lines: Receiver<String>,
}

impl Broker {
    /// Starts one in memory, on any free port.
    pub(crate) fn start(flags: &[&str]) -> Self {
        let mut child = command()
            .args(["--address", "127.0.0.1:0", "--in-memory"])
            .args(flags)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (line, lines) = channel();
        let output = BufReader::new(child.stdout.take().unwrap());
        spawn(move || {
            output
                .lines()
                .map_while(Result::ok)
                .try_for_each(|text| line.send(text))
        });
        let said = Arc::new(Mutex::new(String::new()));
        let (errors, into) = (child.stderr.take().unwrap(), Arc::clone(&said));
        spawn(move || {
            for text in BufReader::new(errors).lines().map_while(Result::ok) {
                *into.lock().unwrap() += &(text + "\n");
            }
        });
        let mut broker = Self {
            child,
            said,
            endpoint: String::new(),
            lines,
        };
        broker.endpoint = broker.listening();
        broker
    }

    /// The next endpoint that it says it serves.
    pub(crate) fn listening(&self) -> String {
        let line = self.lines.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|error| panic!("{error}: {}", self.said()));
        line.strip_prefix("listening on ").unwrap().to_owned()
    }

    /// `HOST:PORT` of its ROUTER.
    pub(crate) fn address(&self) -> &str {
        self.endpoint.strip_prefix("tcp://").unwrap()
    }

    /// All that it has written to standard error.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits until it has said this.
    pub(crate) fn await_said(&self, what: &str) {
        wait_for(what, || self.said().contains(what));
    }

    /// Waits until it has counted this, asking for its status again and again.
    pub(crate) fn await_count(&self, what: &str, at_least: u64) {
        let is_there = || {
            let pid = Pid::from_child(&self.child);
            kill_process(pid, Signal::USR1).unwrap();
            self.count(what) >= at_least
        };
        let comes = comes_true(is_there);
        assert!(comes, "not {at_least} times {what}, but {}", self.refused());
    }

    /// What it has said to have counted, the last time it was asked.
    pub(crate) fn count(&self, what: &str) -> u64 {
        let said = self.said();
        let counters = said.rsplit("Counters {").next().unwrap();
        let counted = counters.split(&format!("\"{what}\": ")).nth(1);
        let digits = counted.map(|rest| rest.split([',', '}']).next().unwrap());
        digits.map_or(0, |digits| digits.parse().unwrap())
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What it has refused so far, by reason, as it says it.
    pub(crate) fn refused(&self) -> String {
        let asked = self.said().matches("Counters {").count();
        kill_process(Pid::from_child(&self.child), Signal::USR1).unwrap();
        wait_for("a status", || {
            self.said().matches("Counters {").count() > asked
        });
        let said = self.said();
        let refused = said.rsplit("refused: ").next().unwrap();
        refused.lines().next().unwrap().to_owned()
    }

    /// How many descriptors it has open.
    pub(crate) fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id()))
            .unwrap()
            .count()
    }

    /// Its memory, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS"))
            .unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib << 10
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The program without anything from the environment that would be a flag.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orden-broker"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ORDEN_")) {
        command.env_remove(name);
    }
    command
}

/// Runs the program to its end, and gives its exit code and what it complained about.
pub(crate) fn run(arguments: &[&str]) -> (i32, String) {
    let mut child = command()
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    (child.wait().unwrap().code().unwrap(), said)
}

/// Waits for something to become true, without a bound on how soon it is asked again.
pub(crate) fn wait_for(what: &str, is_there: impl Fn() -> bool) {
    assert!(comes_true(is_there), "in vain: {what}");
}

fn comes_true(is_there: impl Fn() -> bool) -> bool {
    let (_alive, never) = channel::<()>();
    (0..PATIENCE.as_millis() / 20).any(|_| {
        let there = is_there();
        there || never.recv_timeout(Duration::from_millis(20)).is_ok()
    })
}

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
        Broker::start(&[&keys, flags].concat())
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
        let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
        if !id.is_empty() {
            socket.set_identity(id.as_bytes()).unwrap();
        }
        if let Some((keys, file)) = key {
            keys.give(&socket, file);
        }
        socket.set_linger(0).unwrap();
        socket.set_rcvtimeo(PATIENCE_MS).unwrap();
        socket.connect(&broker.endpoint).unwrap();
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
