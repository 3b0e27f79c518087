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

#[test]
fn a_peer_cannot_have_a_routing_id_that_is_generated() {
    let router = Router::new();
    let victim = router.connect(&[]);
    let number = router.number_of(&victim);
    // Its own, those that come next, and what begins like them.
    let mut claims = vec![vec![0], vec![0; 255], number.to_be_bytes().to_vec()];
    claims[2].insert(0, 0);
    let next = |more: u32| [&[0][..], &(number + more).to_be_bytes()].concat();
    claims.extend((1..20).map(next));
    let claimants: Vec<_> = claims.iter().map(|id| router.connect(id)).collect();
    let mut given: Vec<_> = claimants
        .iter()
        .map(|peer| router.number_of(peer))
        .collect();
    // Without the patch this ends the process.
    let guests: Vec<_> = (0..20).map(|_| router.connect(&[])).collect();
    given.extend(guests.iter().map(|peer| router.number_of(peer)));
    given.push(number);
    let peers = given.len();
    given.sort_unstable();
    given.dedup();
    assert_eq!(given.len(), peers, "two peers have one routing id");
    router.answers(&victim, number);
}

/// A ROUTER as the broker's is, and its peers.
struct Router {
    context: zmq::Context,
    socket: zmq::Socket,
    endpoint: String,
}

impl Router {
    fn new() -> Self {
        let context = zmq::Context::new();
        let socket = context.socket(zmq::ROUTER).unwrap();
        socket.set_router_handover(true).unwrap();
        socket.set_router_mandatory(true).unwrap();
        socket.set_rcvtimeo(10_000).unwrap();
        socket.bind("tcp://127.0.0.1:*").unwrap();
        let endpoint = socket.get_last_endpoint().unwrap().unwrap();
        Self {
            context,
            socket,
            endpoint,
        }
    }

    /// A peer that claims this routing id, if there is one.
    fn connect(&self, id: &[u8]) -> zmq::Socket {
        let peer = self.context.socket(zmq::DEALER).unwrap();
        if !id.is_empty() {
            peer.set_identity(id).unwrap();
        }
        peer.set_rcvtimeo(10_000).unwrap();
        peer.connect(&self.endpoint).unwrap();
        peer
    }

    /// The number that was generated for a peer.
    fn number_of(&self, peer: &zmq::Socket) -> u32 {
        peer.send("hola", 0).unwrap();
        let frames = self.socket.recv_multipart(0).unwrap();
        assert_eq!(frames[1], b"hola");
        let [0, number @ ..] = &frames[0][..] else {
            panic!("{frames:?}")
        };
        u32::from_be_bytes(number.try_into().unwrap())
    }

    /// What is sent to a generated routing id reaches the peer that it was generated for.
    fn answers(&self, peer: &zmq::Socket, number: u32) {
        let id = [&[0][..], &number.to_be_bytes()].concat();
        self.socket
            .send_multipart([&id[..], b"que tal"], 0)
            .unwrap();
        assert_eq!(peer.recv_bytes(0).unwrap(), b"que tal");
    }
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
