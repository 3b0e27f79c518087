//! What a service manager is told, by a test that plays systemd's socket.

use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;

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

#[test]
fn a_service_manager_is_told_when_it_listens_and_when_it_stops() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut broker = command();
    broker.args(["--address", "127.0.0.1:0", "--in-memory"]);
    let broker = Program::start("orden-broker", broker.env("NOTIFY_SOCKET", &path));
    let said = hear(&socket);
    assert!(said.contains(&"READY=1".to_owned()), "{said:?}");
    let status = said
        .iter()
        .find_map(|line| line.strip_prefix("STATUS=listening on tcp://"));
    // Not a moment before it listens: whoever depends on it is started now.
    TcpStream::connect(status.unwrap()).expect("it listens");
    broker.signal(Signal::TERM);
    let said = hear(&socket);
    assert!(said.contains(&"STOPPING=1".to_owned()), "{said:?}");
    assert_eq!(broker.end().code(), Some(0));
}
