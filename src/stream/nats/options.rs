//! Which servers hold the stream, who we are to them, and what must be true of them.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::ServerAddr;

use super::error::Error;

/// What to connect to, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The servers: `nats://HOST[:PORT]` or `tls://HOST[:PORT]`.
    pub servers: Vec<String>,
    /// The name of the order's stream: letters, digits, `-` and `_`.
    pub stream: String,
    /// A NATS credentials file: who we are.
    pub credentials: Option<PathBuf>,
    /// Certificates that the servers' are signed with; with it everything is encrypted.
    pub authority: Option<PathBuf>,
    /// Our own certificate and its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// Monitoring addresses of all servers, `http://HOST:PORT`.
    pub monitors: Vec<String>,
    /// Whether fewer than three copies are enough.
    pub allow_single_copy: bool,
    /// Whether the connection may be unencrypted beyond this machine.
    pub allow_plaintext: bool,
    /// The largest message that brokers take, in bytes.
    pub message_bytes: usize,
    /// When the stream is made.
    pub make: Make,
    /// How long to wait at the start for a server and the stream's leader.
    pub patience: Duration,
}

/// When a stream is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// Never: it must be there.
    Never,
    /// If there is none.
    IfMissing,
    /// Always: one that is there is deleted before, with all that it holds.
    Anew,
}

/// Bytes that a record of small messages, or of a snapshot, may have.
const RECORD_BYTES: usize = 512 << 10;
/// Bytes that a record has besides its one largest message.
const RECORD_OVERHEAD: usize = 64 << 10;

impl Options {
    /// The default: one copy of nothing, to be filled in.
    #[must_use]
    pub fn new(servers: Vec<String>, stream: &str) -> Self {
        Self {
            servers,
            stream: stream.to_owned(),
            credentials: None,
            authority: None,
            certificate: None,
            monitors: Vec::new(),
            allow_single_copy: false,
            allow_plaintext: false,
            message_bytes: 0,
            make: Make::Never,
            patience: Duration::from_secs(30),
        }
    }

    /// The servers' addresses, if all of this may be used.
    pub(super) fn check(&self) -> Result<Vec<ServerAddr>, Error> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let name = &self.stream;
        if name.is_empty() || name.len() > 64 || !name.chars().all(is_plain) {
            return Err(Error::StreamName(name.clone()));
        }
        let addresses = self.servers.iter().map(|server| {
            let address: ServerAddr = server.parse().map_err(|error| Error::Address {
                address: server.clone(),
                why: format!("{error}"),
            })?;
            let is_encrypted = self.is_encrypted() || address.tls_required();
            if is_encrypted || self.allow_plaintext || is_loopback(address.host()) {
                Ok(address)
            } else {
                Err(Error::Plaintext(address.host().to_owned()))
            }
        });
        addresses.collect()
    }

    /// Whether every connection is encrypted, whatever the address says.
    pub(super) fn is_encrypted(&self) -> bool {
        self.authority.is_some() || self.certificate.is_some()
    }

    /// The least that servers must take as one message.
    pub(super) fn payload_bytes(&self) -> usize {
        self.message_bytes
            .max(RECORD_BYTES)
            .saturating_add(RECORD_OVERHEAD)
    }

    /// What NATS calls the stream.
    pub(super) fn stream_name(&self) -> String {
        format!("orden_{}", self.stream)
    }

    /// Where records and snapshot parts are published.
    pub(super) fn subjects(&self) -> [String; 2] {
        ["r", "s"].map(|last| format!("orden.{}.{last}", self.stream))
    }

    /// What is published again once it is committed, and where.
    pub(super) fn tail(&self) -> [String; 2] {
        ["orden", "ordentail"].map(|first| format!("{first}.{}.>", self.stream))
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(server: &str, change: impl Fn(&mut Options)) -> Result<Vec<ServerAddr>, Error> {
        let mut options = Options::new(vec![server.to_owned()], "orden");
        change(&mut options);
        options.check()
    }

    #[test]
    fn plain_text_stays_on_this_machine() {
        for near in ["nats://127.0.0.1:4222", "localhost", "nats://[::1]:4222"] {
            assert!(checked(near, |_| {}).is_ok(), "{near}");
        }
        for far in ["nats://10.0.0.1", "nats.example:4222"] {
            assert!(matches!(checked(far, |_| {}), Err(Error::Plaintext(_))));
            assert!(checked(far, |options| options.allow_plaintext = true).is_ok());
            let authority = |options: &mut Options| options.authority = Some("ca.pem".into());
            assert!(checked(far, authority).is_ok());
        }
        assert!(checked("tls://10.0.0.1", |_| {}).is_ok());
    }

    #[test]
    fn a_stream_has_a_plain_name() {
        for name in ["", "a.b", "a b", "*", ">"] {
            let named = checked("localhost", |options| name.clone_into(&mut options.stream));
            assert!(matches!(named, Err(Error::StreamName(_))), "{name:?}");
        }
    }
}
