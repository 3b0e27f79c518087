//! What a service manager is told, by a test that plays systemd's socket.

use std::fs;
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use orden_kit::PATIENCE;
use orden_kit::programs::Program;
use orden_kit::programs::broker::command;
use rustix::process::Signal;

/// The assignments of one datagram.
fn hear(socket: &UnixDatagram) -> Vec<String> {
    let mut datagram = [0; 4096];
    let length = socket
        .recv(&mut datagram)
        .expect("the broker says something");
    let text = str::from_utf8(&datagram[..length]).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// A broker that a service manager has started, and the socket on which that hears it; it has said
/// that it is ready.
fn started(directory: &Path, more: &[(&str, &str)]) -> (Program, UnixDatagram, String) {
    let path = directory.join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut broker = command();
    broker.args(["--address", "127.0.0.1:0", "--in-memory"]);
    broker.envs(more.iter().copied());
    let broker = Program::start("orden-broker", broker.env("NOTIFY_SOCKET", &path));
    let said = hear(&socket);
    assert!(said.contains(&"READY=1".to_owned()), "{said:?}");
    let status = said
        .iter()
        .find_map(|line| line.strip_prefix("STATUS=listening on tcp://"));
    let address = status.unwrap().to_owned();
    (broker, socket, address)
}

#[test]
fn a_service_manager_is_told_when_it_listens_and_when_it_stops() {
    let directory = tempfile::tempdir().unwrap();
    let (broker, socket, address) = started(directory.path(), &[]);
    // Not a moment before it listens: whoever depends on it is started now.
    TcpStream::connect(address).expect("it listens");
    broker.signal(Signal::TERM);
    let said = hear(&socket);
    assert!(said.contains(&"STOPPING=1".to_owned()), "{said:?}");
    assert_eq!(broker.end().code(), Some(0));
}

#[test]
fn it_is_told_of_a_reload_and_of_going_out_of_service() {
    let directory = tempfile::tempdir().unwrap();
    let (broker, socket, _) = started(directory.path(), &[]);
    broker.signal(Signal::HUP);
    let said = hear(&socket);
    let at = said
        .iter()
        .find_map(|line| line.strip_prefix("MONOTONIC_USEC="));
    assert!(said.contains(&"RELOADING=1".to_owned()), "{said:?}");
    assert!(at.unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!(hear(&socket), ["READY=1"]);
    broker.signal(Signal::USR2);
    assert_eq!(hear(&socket), ["STATUS=draining: no new members"]);
    assert_eq!(broker.end().code(), Some(0));
}

/// Holds one thread of a process as a debugger does, for so many seconds: signals stop all of them.
const HOLD: &str = "
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
SEIZE, INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000
thread = int(sys.argv[1])
for request in SEIZE, INTERRUPT:
    if libc.ptrace(request, thread, None, None) != 0:
        sys.exit(os.strerror(ctypes.get_errno()))
os.waitpid(thread, WALL)
print('held', flush=True)
sys.stdin.read()  # its end lets the thread go
";

#[test]
fn a_watchdog_hears_nothing_of_a_sequencer_that_stands_still() {
    let directory = tempfile::tempdir().unwrap();
    // Every half second a sign of life, of a broker that has nothing else to do.
    let (broker, socket, _) = started(directory.path(), &[("WATCHDOG_USEC", "2000000")]);
    for _ in 0..3 {
        assert_eq!(hear(&socket), ["WATCHDOG=1"]);
    }
    let tasks = fs::read_dir(format!("/proc/{}/task", broker.pid().as_raw_nonzero())).unwrap();
    let is_sequencer = |task: &PathBuf| {
        fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "sequencer")
    };
    let mut tasks = tasks.map(|task| task.unwrap().path());
    let sequencer = tasks.find(is_sequencer).unwrap();
    let sequencer = sequencer.file_name().unwrap().to_owned();
    let mut holding = Command::new("python3");
    let mut holder = Program::start("the holder", holding.args(["-c", HOLD]).arg(sequencer));
    assert_eq!(holder.line(), "held");
    // What was on its way may still come, but then nothing for longer than the watchdog waits.
    socket
        .set_read_timeout(Some(Duration::from_secs(3)))
        .unwrap();
    let heard = (0..3).take_while(|_| socket.recv(&mut [0; 64]).is_ok());
    assert!(heard.count() < 3, "it says that it lives");
    drop(holder.take_input());
    assert!(holder.end().success());
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(hear(&socket), ["WATCHDOG=1"], "it does its rounds again");
    broker.signal(Signal::TERM);
    assert_eq!(broker.end().code(), Some(0));
}
