//! The libzmq that we are linked with has what `.libzmq` builds it with.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::fs;
use std::net::TcpStream;

/// `tr` of a line in `/proc/net/tcp` while a keepalive timer runs.
const KEEPALIVE_TIMER: &str = "02";

#[test]
fn it_is_4_3_5_with_curve() {
    assert_eq!(zmq::version(), (4, 3, 5));
    assert_eq!(zmq::has("curve"), Some(true));
    zmq::CurveKeyPair::new().expect("libsodium makes keys");
}

#[test]
fn it_wakes_its_threads_by_eventfd_and_names_them() {
    let _connection = Connection::new();
    let any = |directory: &str, is: &dyn Fn(&fs::DirEntry) -> bool| {
        let mut entries = fs::read_dir(directory).unwrap().flatten();
        entries.any(|entry| is(&entry))
    };
    assert!(any("/proc/self/fd", &|descriptor| {
        fs::read_link(descriptor.path()).is_ok_and(|to| to.ends_with("anon_inode:[eventfd]"))
    }));
    assert!(any("/proc/self/task", &|thread| {
        fs::read_to_string(thread.path().join("comm")).is_ok_and(|name| name.starts_with("ZMQbg"))
    }));
}

#[test]
fn its_connections_are_kept_alive() {
    let connection = Connection::new();
    let port = connection.peer.local_addr().unwrap().port();
    let remote_port = format!(":{port:04X}");
    let connections = fs::read_to_string("/proc/self/net/tcp").unwrap();
    let timer = connections.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields[2]
            .ends_with(&remote_port)
            .then(|| fields[5][..2].to_owned())
    });
    assert_eq!(timer.as_deref(), Some(KEEPALIVE_TIMER));
}

/// A TCP connection that libzmq's I/O thread has taken.
struct Connection {
    peer: TcpStream,
    _stream: zmq::Socket,
}

impl Connection {
    fn new() -> Self {
        let stream = zmq::Context::new().socket(zmq::STREAM).unwrap();
        stream.set_tcp_keepalive(1).unwrap();
        stream.set_rcvtimeo(10_000).unwrap();
        stream.bind("tcp://127.0.0.1:*").unwrap();
        let endpoint = stream.get_last_endpoint().unwrap().unwrap();
        let peer = TcpStream::connect(endpoint.trim_start_matches("tcp://")).unwrap();
        stream
            .recv_multipart(0)
            .expect("the connection announces itself");
        Self {
            peer,
            _stream: stream,
        }
    }
}
