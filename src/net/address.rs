//! Where a broker is: the value of `--address`, as a ZeroMQ endpoint.
//!
//! Every address that is accepted can be handed to libzmq: it holds no zero byte, no second
//! endpoint and no transport that orden does not serve.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// What `:PORT` and `localhost` mean, on both sides: a name could resolve to another family.
const LOCALHOST: &str = "127.0.0.1";
/// One byte less than a Unix socket's path field holds, for the zero at its end.
const IPC_PATH_MAX: usize = 107;

/// A broker's address: `HOST:PORT`, `:PORT`, `*:PORT`, `tcp://…` or `ipc://…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address(Place);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Tcp { host: String, port: u16 },
    Ipc { path: String },
}

/// Why text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// A transport other than `tcp` and `ipc`.
    #[error("{0:?} is not served: write HOST:PORT, tcp://HOST:PORT or ipc://PATH")]
    UnknownTransport(String),
    /// No colon before a port.
    #[error("{0:?} has no port: write HOST:PORT")]
    NoPort(String),
    /// A port that is no number up to 65535.
    #[error("{0:?} is no port: it is a number from 0 to 65535")]
    BadPort(String),
    /// A host that no name or number can be.
    #[error("{0:?} is no host: write a name, a number such as 127.0.0.1 or [::1], or *")]
    BadHost(String),
    /// A path that no Unix socket can have.
    #[error("{0:?} is no socket path: 1 to 107 bytes without control characters")]
    BadPath(String),
    /// An address that can be listened on, but not connected to.
    #[error("{0} stands for any: name the one to connect to")]
    Wildcard(Address),
}

impl Address {
    /// The endpoint to listen on; port 0 is any free one.
    #[must_use]
    pub fn to_bind(&self) -> String {
        match &self.0 {
            Place::Tcp { host, port: 0 } => format!("tcp://{host}:*"),
            _ => self.to_string(),
        }
    }

    /// The endpoint to connect to.
    ///
    /// # Errors
    /// [`BadAddress::Wildcard`] if there is no one such place.
    pub fn to_connect(&self) -> Result<String, BadAddress> {
        let is_any = match &self.0 {
            Place::Tcp { host, port } => host == "*" || *port == 0,
            Place::Ipc { path } => path == "*",
        };
        if is_any {
            return Err(BadAddress::Wildcard(self.clone()));
        }
        Ok(self.to_string())
    }

    /// The host's name and the port, where it takes a name service to know the address.
    #[must_use]
    pub fn to_resolve(&self) -> Option<(&str, u16)> {
        match &self.0 {
            Place::Tcp { host, port } if host != "*" && !is_number(host) => Some((host, *port)),
            Place::Tcp { .. } | Place::Ipc { .. } => None,
        }
    }

    /// Whether only this machine can reach it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match &self.0 {
            Place::Tcp { host, .. } => {
                let number = host.trim_start_matches('[').trim_end_matches(']');
                number.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
            }
            Place::Ipc { .. } => true,
        }
    }

    /// Whether the socket must be told to speak IPv6.
    #[must_use]
    pub fn is_ipv6(&self) -> bool {
        matches!(&self.0, Place::Tcp { host, .. } if host.starts_with('['))
    }
}

impl FromStr for Address {
    type Err = BadAddress;

    fn from_str(text: &str) -> Result<Self, BadAddress> {
        match text.split_once("://") {
            Some(("ipc", path)) => ipc(path),
            Some(("tcp", rest)) => tcp(rest),
            Some((transport, _)) => Err(BadAddress::UnknownTransport(transport.to_owned())),
            None => tcp(text),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
            Place::Ipc { path } => write!(f, "ipc://{path}"),
        }
    }
}

fn tcp(text: &str) -> Result<Address, BadAddress> {
    let (host, port) = text
        .rsplit_once(':')
        .ok_or_else(|| BadAddress::NoPort(text.to_owned()))?;
    let port = match port {
        "*" => 0,
        // `parse` would take a sign.
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits
            .parse()
            .map_err(|_| BadAddress::BadPort(port.to_owned()))?,
        _ => return Err(BadAddress::BadPort(port.to_owned())),
    };
    let host = match host {
        "" | "localhost" => LOCALHOST,
        "*" => "*",
        _ if is_ipv6(host) || is_name(host) => host,
        _ => return Err(BadAddress::BadHost(host.to_owned())),
    };
    let host = host.to_owned();
    Ok(Address(Place::Tcp { host, port }))
}

fn ipc(path: &str) -> Result<Address, BadAddress> {
    let fits = (1..=IPC_PATH_MAX).contains(&path.len());
    if !fits || path.chars().any(char::is_control) {
        return Err(BadAddress::BadPath(path.to_owned()));
    }
    let path = path.to_owned();
    Ok(Address(Place::Ipc { path }))
}

/// A number in brackets, perhaps with an interface: `[fe80::1%eth0]`.
fn is_ipv6(host: &str) -> bool {
    let Some(inner) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    else {
        return false;
    };
    let (number, interface) = inner.split_once('%').unwrap_or((inner, "any"));
    number.parse::<Ipv6Addr>().is_ok() && is_name(interface)
}

/// An address in digits, of either family.
fn is_number(host: &str) -> bool {
    host.starts_with('[') || host.parse::<Ipv4Addr>().is_ok()
}

/// A host's name, a number with dots, or an interface's name.
fn is_name(host: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    !host.is_empty() && host.len() <= 253 && host.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_this_machine_reaches() {
        let is_local = |text: &str| text.parse::<Address>().unwrap().is_local();
        for text in [
            ":1",
            "localhost:1",
            "127.3.0.1:1",
            "[::1]:1",
            "ipc:///tmp/x",
        ] {
            assert!(is_local(text), "{text}");
        }
        for text in ["*:1", "0.0.0.0:1", "192.168.1.1:1", "broker:1", "[::]:1"] {
            assert!(!is_local(text), "{text}");
        }
    }

    fn bound(text: &str) -> String {
        text.parse::<Address>().unwrap().to_bind()
    }

    fn connected(text: &str) -> Result<String, BadAddress> {
        text.parse::<Address>().unwrap().to_connect()
    }

    fn refused(text: &str) -> BadAddress {
        text.parse::<Address>().unwrap_err()
    }

    #[test]
    fn what_people_write_is_an_endpoint() {
        assert_eq!(bound("127.0.0.1:8081"), "tcp://127.0.0.1:8081");
        assert_eq!(bound(":8081"), "tcp://127.0.0.1:8081");
        assert_eq!(bound("localhost:8081"), "tcp://127.0.0.1:8081");
        assert_eq!(bound("*:8081"), "tcp://*:8081");
        assert_eq!(bound("eth0:0"), "tcp://eth0:*");
        assert_eq!(bound("tcp://[::1]:*"), "tcp://[::1]:*");
        assert_eq!(bound("ipc:///run/orden"), "ipc:///run/orden");
        assert_eq!(connected("broker.lan:1").unwrap(), "tcp://broker.lan:1");
        assert_eq!(connected("[::1]:1").unwrap(), "tcp://[::1]:1");
        assert_eq!(connected(":1").unwrap(), "tcp://127.0.0.1:1");
    }

    #[test]
    fn the_family_is_told_by_the_brackets() {
        let is_ipv6 = |text: &str| text.parse::<Address>().unwrap().is_ipv6();
        assert!(is_ipv6("[fe80::1%eth0]:1"));
        assert!(!is_ipv6("127.0.0.1:1"));
        assert!(!is_ipv6("ipc://[::1]"));
    }

    #[test]
    fn names_have_to_be_resolved_and_numbers_not() {
        let resolved = |text: &str| {
            let address: Address = text.parse().unwrap();
            address
                .to_resolve()
                .map(|(host, port)| (host.to_owned(), port))
        };
        assert_eq!(resolved("broker.lan:1"), Some(("broker.lan".to_owned(), 1)));
        for known in [
            "127.0.0.1:1",
            "[::1]:1",
            "[fe80::1%eth0]:1",
            "localhost:1",
            "ipc://broker",
        ] {
            assert_eq!(resolved(known), None, "{known}");
        }
    }

    #[test]
    fn nobody_connects_to_any() {
        for any in ["*:8081", ":0", "tcp://127.0.0.1:*", "ipc://*"] {
            assert!(matches!(connected(any), Err(BadAddress::Wildcard(_))));
        }
        let text = connected(":0").unwrap_err().to_string();
        assert_eq!(
            text,
            "tcp://127.0.0.1:0 stands for any: name the one to connect to"
        );
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        use BadAddress::{BadHost, BadPath, BadPort, NoPort, UnknownTransport};
        assert!(matches!(refused(""), NoPort(_)));
        assert!(matches!(refused("8081"), NoPort(_)));
        assert!(matches!(refused("host:"), BadPort(_)));
        assert!(matches!(refused("host:+1"), BadPort(_)));
        assert!(matches!(refused("host:65536"), BadPort(_)));
        assert!(matches!(refused("::1:80"), BadHost(_)));
        assert!(matches!(refused("[::g]:80"), BadHost(_)));
        assert!(matches!(refused("a b:80"), BadHost(_)));
        assert!(matches!(refused("a\0b:80"), BadHost(_)));
        assert!(matches!(refused("tcp://a:1;b:2"), BadHost(_)));
        assert!(matches!(refused("inproc://x"), UnknownTransport(_)));
        assert!(matches!(refused("ipc://"), BadPath(_)));
        assert!(matches!(refused("ipc://a\0b"), BadPath(_)));
        assert!(matches!(
            refused(&format!("ipc://{}", "x".repeat(108))),
            BadPath(_)
        ));
        assert!(!refused("a\0b:80").to_string().contains('\0'));
    }
}
