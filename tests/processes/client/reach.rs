//! Brokers that are hard to reach, and what is reached in their place.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use orden::client::{Client, Error, Options};
use orden::core::Time;
use orden::core::participant::{Event, Obstacle};
use orden::net::Clock;
use orden::wire::Name;
use tempfile::TempDir;

use super::program::command;
use super::stage::DEADLINE;

/// Something that listens where a broker should, and is no broker.
struct Impostor {
    port: u16,
    /// When each connection came.
    came: Receiver<Time>,
}

impl Impostor {
    fn that(behaves: impl Fn(TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (comes, came) = unbounded();
        // Ends with the test program.
        std::thread::spawn(move || {
            let clock = Clock::start();
            for stream in listener.incoming() {
                comes.send(clock.now()).ok();
                behaves(stream.unwrap());
            }
        });
        Self { port, came }
    }

    fn next(&self) -> Time {
        self.came.recv_timeout(DEADLINE).expect("another attempt")
    }
}

/// A client that goes on trying, and what it was told until `is_enough`.
fn told(port: u16, is_enough: impl FnOnce()) -> Vec<Event> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let name = Name::new(b"ana").unwrap();
    let mut options = Options::new(format!("127.0.0.1:{port}").parse().unwrap(), name);
    options.patience = Some(DEADLINE);
    let hears = Arc::clone(&told);
    options.observer = Some(Box::new(move |event| {
        hears.lock().unwrap().push(event.clone());
    }));
    std::thread::spawn(move || {
        // It never gets anywhere, and ends with the test program.
        Client::connect(options).map(drop)
    });
    is_enough();
    told.lock().unwrap().clone()
}

/// That attempts come ever more slowly, and what they lead to is said once.
fn is_damped(impostor: &Impostor, obstacle: Obstacle) {
    let mut came = Vec::new();
    let told = told(impostor.port, || {
        came = (0..6).map(|_| impostor.next()).collect();
    });
    let waits: Vec<_> = came.windows(2).map(|two| two[1].since(two[0])).collect();
    // Each wait is the least one or longer: a machine that is busy only makes it longer still.
    for (wait, least) in waits.iter().zip([100, 200, 400, 800, 1600]) {
        assert!(*wait >= Duration::from_millis(least - 20), "{waits:?}");
    }
    assert_eq!(told, [Event::Unreachable(obstacle)]);
}

#[test]
fn what_accepts_and_closes_is_tried_ever_more_slowly() {
    is_damped(&Impostor::that(drop), Obstacle::HungUp);
}

#[test]
fn a_web_server_is_tried_ever_more_slowly() {
    let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let server = Impostor::that(move |mut stream| {
        stream.read_exact(&mut [0; 10]).ok();
        stream.write_all(answer).ok();
    });
    is_damped(&server, Obstacle::HungUp);
}

/// As a connection to ourselves, which TCP makes now and then out of a port that no program has.
#[test]
fn our_own_words_are_no_sign_of_life() {
    let mirror = Impostor::that(|stream| {
        std::thread::spawn(move || {
            let (mut heard, mut said) = (&stream, &stream);
            std::io::copy(&mut heard, &mut said).ok();
        });
    });
    is_damped(&mirror, Obstacle::NoBroker);
}

/// Files of /etc that a client sees in place of the machine's; `None` where no mount namespace is
/// to be had, which takes root, or a system that lets every user make one.
struct Etc {
    directory: TempDir,
    script: String,
}

impl Etc {
    fn with(files: &[(&str, &str)]) -> Option<Self> {
        let directory = TempDir::new().unwrap();
        let mut script = String::new();
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            let from = path.display().to_string();
            script.extend(["mount --bind ", &from, " /etc/", name, " && "]);
        }
        let etc = Self { directory, script };
        let tried = etc.run("true").status();
        tried.is_ok_and(|status| status.success()).then_some(etc)
    }

    fn run(&self, command: &str) -> Command {
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
        unshare.arg(format!("{}{command}", self.script));
        unshare.current_dir(self.directory.path());
        unshare.stdin(Stdio::null()).stdout(Stdio::null());
        unshare
    }

    fn client(&self, arguments: &[&str]) -> Command {
        let client = command(arguments);
        let mut inside = self.run("exec \"$0\" \"$@\"");
        inside.arg(client.get_program()).args(client.get_args());
        inside
    }
}

/// Whether a client that is given `host` finds a ROUTER that is bound to `address` alone.
fn is_found(etc: &Etc, host: &str, address: &str) -> bool {
    let router = zmq::Context::new().socket(zmq::ROUTER).unwrap();
    router.set_ipv6(true).unwrap();
    router.set_rcvtimeo(20_000).unwrap();
    router.bind(&format!("tcp://{address}:*")).unwrap();
    let endpoint = router.get_last_endpoint().unwrap().unwrap();
    let port = endpoint.rsplit(':').next().unwrap();
    let place = format!("{host}:{port}");
    let mut client = etc.client(&["--address", &place, "--name", "ana"]);
    let mut child = client.stderr(Stdio::null()).spawn().unwrap();
    let heard = router.recv_multipart(0).is_ok();
    child.kill().unwrap();
    child.wait().unwrap();
    heard
}

#[test]
fn every_address_of_a_name_is_tried() {
    let hosts = "127.0.0.1 localhost\n::1 six.test\n127.0.0.1 two.test\n127.0.0.9 two.test\n\
                 ::1 both.test\n127.0.0.1 both.test\n";
    let Some(etc) = Etc::with(&[("hosts", hosts)]) else {
        return;
    };
    for (host, address) in [
        ("six.test", "[::1]"),
        ("both.test", "127.0.0.1"),
        ("both.test", "[::1]"),
        ("two.test", "127.0.0.1"),
        ("two.test", "127.0.0.9"),
    ] {
        assert!(is_found(&etc, host, address), "{host} at {address}");
    }
}

#[test]
fn a_name_without_an_address_is_called_that() {
    let Some(etc) = Etc::with(&[("hosts", "127.0.0.1 localhost\n"), ("resolv.conf", "")]) else {
        return;
    };
    // Nothing answers there, and nothing has to: either way it is the name that is at fault.
    let arguments = [
        "--address",
        "no-such-host.invalid:1",
        "--name",
        "ana",
        "--patience",
        "3",
    ];
    let output = etc.client(&arguments).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{text}");
    let is_told = text.contains("has no address") || text.contains("name service");
    assert!(is_told && !text.contains("no broker answers"), "{text}");
}

#[test]
fn a_silent_name_server_does_not_hold_a_client_up() {
    // Port 53 is root's.
    let Ok(silent) = UdpSocket::bind("127.0.0.99:53") else {
        return;
    };
    let files = [
        ("hosts", ""),
        ("resolv.conf", "nameserver 127.0.0.99\noptions attempts:9\n"),
    ];
    let Some(etc) = Etc::with(&files) else { return };
    let clock = Clock::start();
    let arguments = [
        "--address",
        "broker.test:1",
        "--name",
        "ana",
        "--patience",
        "2",
    ];
    let output = etc.client(&arguments).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    silent.recv(&mut [0; 512]).expect("it was asked");
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("the name service does not answer"), "{text}");
    // The resolver alone would go on for 45 s.
    assert!(clock.now() < Time(20_000_000), "{:?}", clock.now());
}

#[test]
fn what_has_not_answered_is_an_error_in_time() {
    let mute = Impostor::that(std::mem::forget);
    let address = format!("127.0.0.1:{}", mute.port);
    let mut options = Options::new(address.parse().unwrap(), Name::new(b"ana").unwrap());
    options.patience = Some(Duration::from_millis(100));
    let error = Client::connect(options).unwrap_err();
    assert!(matches!(error, Error::NoAnswer(_)), "{error}");
}
