//! Where the sockets listen: addresses of both families, names that this machine has, Unix sockets.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, ToSocketAddrs};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;

use super::error::Error;

/// Lets a socket listen on an endpoint.
///
/// # Errors
/// Why it cannot.
pub(super) fn bind(socket: &zmq::Socket, endpoint: &str) -> Result<(), Error> {
    let bound = match endpoint.strip_prefix("tcp://") {
        Some(place) => bind_tcp(socket, place),
        None => bind_ipc(socket, endpoint),
    };
    bound.map_err(|source| Error::Bind {
        endpoint: endpoint.to_owned(),
        source,
    })
}

fn bind_tcp(socket: &zmq::Socket, place: &str) -> io::Result<()> {
    let (host, port) = place.rsplit_once(':').unwrap_or((place, ""));
    if host == "*" {
        // Both families, where there are both.
        return bind_as(socket, place, true).or_else(|_| bind_as(socket, place, false));
    }
    let bound = bind_as(socket, place, host.starts_with('['));
    match bound {
        // libzmq knows numbers and interfaces; names are looked up here.
        Err(error) if error.raw_os_error() == Some(NO_SUCH_INTERFACE) => {
            bind_name(socket, host, port)
        }
        bound => bound,
    }
}

/// Binds to the first address of a name that this machine has.
fn bind_name(socket: &zmq::Socket, host: &str, port: &str) -> io::Result<()> {
    let mut bound = Err(ErrorKind::AddrNotAvailable.into());
    for address in (host, 0).to_socket_addrs()? {
        let place = match address.ip() {
            IpAddr::V4(ip) => format!("{ip}:{port}"),
            IpAddr::V6(ip) => format!("[{ip}]:{port}"),
        };
        bound = bind_as(socket, &place, address.is_ipv6());
        if bound.is_ok() {
            break;
        }
    }
    bound
}

fn bind_as(socket: &zmq::Socket, place: &str, ipv6: bool) -> io::Result<()> {
    let bound = socket.set_ipv6(ipv6);
    let bound = bound.and_then(|()| socket.bind(&format!("tcp://{place}")));
    bound.map_err(|error| io::Error::from_raw_os_error(error.to_raw()))
}

/// libzmq removes whatever lies at the path before it binds, so that a socket file which a killed
/// broker left is in nobody's way. One that another broker listens on must stay.
fn bind_ipc(socket: &zmq::Socket, endpoint: &str) -> io::Result<()> {
    let path = endpoint.trim_start_matches("ipc://");
    let is_file = path != "*" && !path.starts_with('@');
    if is_file && let Ok(data) = fs::symlink_metadata(path) {
        if !data.file_type().is_socket() {
            let why = "something that is no socket is there already";
            return Err(io::Error::new(ErrorKind::AlreadyExists, why));
        }
        match UnixStream::connect(path) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
            // It went meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            // A full backlog is somebody's, too.
            Ok(_) | Err(_) => return Err(ErrorKind::AddrInUse.into()),
        }
    }
    let bound = socket.bind(endpoint);
    bound.map_err(|error| io::Error::from_raw_os_error(error.to_raw()))
}

/// `ENODEV`, which is what libzmq says of a name.
const NO_SUCH_INTERFACE: i32 = rustix::io::Errno::NODEV.raw_os_error();
