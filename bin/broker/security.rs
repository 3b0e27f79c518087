//! The flags about keys and about those who connect, and what they come to.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Args, Subcommand};
use orden::broker::{ConnectionLimits, Error, Security};
use orden::core::Limits;
use orden::net::Address;
use orden::net::{generate_keys, read_secret_key};
use orden::wire::Name;

use crate::size::size;

/// What the program does instead of serving.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(
        about = "Make a pair of keys: DIR/NAME.key to give away, DIR/NAME.key_secret to keep"
    )]
    Keygen {
        /// Where the files go
        #[arg(value_name = "DIR")]
        directory: PathBuf,
        /// The name that the key is for; without it, a key for the broker
        #[arg(long, value_name = "NAME", value_parser = parse_name)]
        name: Option<Name>,
    },
}

impl Command {
    /// Does it, and says what it did.
    pub(crate) fn run(self) -> Result<String, Error> {
        let Self::Keygen { directory, name } = self;
        let file = name.as_ref().map_or("broker".to_owned(), Name::to_string);
        let names = name.into_iter().collect();
        let [public, secret] = generate_keys(&directory, &file, names)?;
        Ok(format!("{}\n{}", public.display(), secret.display()))
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Security")]
pub(crate) struct Flags {
    /// Encrypt, and serve only those whose key is authorized; FILE is this broker's own secret
    /// key, as `orden-broker keygen` and pyzmq make it
    #[arg(
        long,
        env = "ORDEN_CURVE_KEY",
        value_name = "FILE",
        requires = "authorized"
    )]
    curve_key: Option<PathBuf>,
    /// Whose public keys may do what: a directory of *.key files, or a file with a key a line;
    /// read again when it changes
    #[arg(
        long,
        env = "ORDEN_AUTHORIZED",
        value_name = "DIR|FILE",
        requires = "curve_key"
    )]
    authorized: Option<PathBuf>,
    /// Serve without encryption also beyond this machine: whoever reaches the address can read
    /// everything and speak under any name
    #[arg(long, env = "ORDEN_INSECURE", value_parser = BoolishValueParser::new())]
    insecure: bool,
    /// The most bytes of a name
    #[arg(long, env = "ORDEN_MAX_NAME_BYTES", value_name = "BYTES",
        default_value_t = Limits::default().name_bytes,
        value_parser = size(1..=255))]
    max_name_bytes: usize,
    /// The most members, present or away
    #[arg(long, env = "ORDEN_MAX_MEMBERS", value_name = "COUNT",
        default_value_t = Limits::default().members,
        value_parser = size(1..=10_000_000))]
    max_members: usize,
    /// The most names that one key can have in use
    #[arg(long, env = "ORDEN_MAX_NAMES_PER_KEY", value_name = "COUNT",
        default_value_t = Limits::default().names_per_key,
        value_parser = size(1..=10_000_000))]
    max_names_per_key: usize,
    /// The most connections that are accepted from one address in a second
    #[arg(long, env = "ORDEN_MAX_CONNECTIONS_PER_SECOND", value_name = "COUNT",
        default_value_t = ConnectionLimits::default().connections_a_second,
        value_parser = clap::value_parser!(u32).range(1..))]
    max_connections_per_second: u32,
    /// The most bytes that were received and are not ordered yet, over all connections together;
    /// who sends more waits
    #[arg(long, env = "ORDEN_MAX_RECEIVED_BYTES", value_name = "BYTES",
        default_value_t = ConnectionLimits::default().received_bytes,
        value_parser = clap::value_parser!(u64).range(1 << 20..=1 << 40))]
    max_received_bytes: u64,
    /// The most bytes on their way to a member
    #[arg(long, env = "ORDEN_MAX_IN_FLIGHT_BYTES", value_name = "BYTES",
        default_value_t = Limits::default().window_bytes,
        value_parser = size(1..=1 << 30))]
    max_in_flight_bytes: usize,
    /// The most stretches of the log that are read at a time for those who are behind
    #[arg(long, env = "ORDEN_MAX_CATCH_UPS", value_name = "COUNT",
        default_value_t = Limits::default().catch_ups,
        value_parser = size(1..=10_000))]
    max_catch_ups: usize,
    /// How long a handshake may take; with keys, who says nothing for twice as long is cut off
    #[arg(long, env = "ORDEN_HANDSHAKE_TIMEOUT", value_name = "SECONDS",
        default_value_t = ConnectionLimits::default().handshake.as_secs(),
        value_parser = clap::value_parser!(u64).range(1..=3600))]
    handshake_timeout: u64,
}

impl Flags {
    /// Whether what goes beyond this machine may be unencrypted.
    #[cfg(feature = "nats")]
    pub(crate) fn is_insecure(&self) -> bool {
        self.insecure
    }

    /// The limits of the machine, as these flags say, on top of others.
    pub(crate) fn limits(&self, others: &Limits) -> Limits {
        Limits {
            name_bytes: self.max_name_bytes,
            members: self.max_members,
            names_per_key: self.max_names_per_key,
            window_bytes: self.max_in_flight_bytes,
            catch_ups: self.max_catch_ups,
            ..others.clone()
        }
    }

    /// What is allowed to those who connect.
    pub(crate) fn connection_limits(&self) -> ConnectionLimits {
        ConnectionLimits {
            connections_a_second: self.max_connections_per_second,
            handshake: Duration::from_secs(self.handshake_timeout),
            received_bytes: self.max_received_bytes,
        }
    }

    /// The keys, if they are to decide who is served.
    pub(crate) fn security(&self) -> Result<Option<Security>, Error> {
        let (Some(key), Some(authorized)) = (&self.curve_key, &self.authorized) else {
            return Ok(None);
        };
        let (_, secret) = read_secret_key(key)?;
        Ok(Some(Security {
            secret,
            authorized: authorized.clone(),
        }))
    }

    /// Why an address is not to be served; `encrypted` says whether what passes there would be.
    pub(crate) fn refuses(&self, address: &Address, encrypted: bool) -> Option<String> {
        if encrypted || self.insecure || address.is_local() {
            return None;
        }
        Some(format!(
            "{} is beyond this machine, and what passes there would not be encrypted: \
             whoever reaches it could read everything and speak under any name",
            address.to_bind()
        ))
    }

    /// Whether what passes over ZeroMQ is encrypted.
    pub(crate) fn encrypts(&self) -> bool {
        self.curve_key.is_some()
    }
}

/// A name that can stand in a key file and be a file's name.
fn parse_name(text: &str) -> Result<Name, String> {
    let simple = |c: char| c.is_alphanumeric() || ".-_".contains(c);
    if text.starts_with('.') || !text.chars().all(simple) {
        return Err("letters, digits, '-', '_' and '.' only, for the file's sake".to_owned());
    }
    Name::new(text.as_bytes()).map_err(|bad| bad.to_string())
}
