//! The flags about several brokers that share one order, and the commands about its stream.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::builder::BoolishValueParser;
use clap::{Args, Subcommand};
use orden::broker::{self, Membership};
use orden::core::Limits;
use orden::stream::nats::{Error as StreamError, Nats, Options};
use orden::wire::Name;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::ending::{exit_code, hint};
use crate::size::size;

#[derive(Debug, Args)]
#[command(next_help_heading = "Several brokers")]
pub(crate) struct Cluster {
    /// Share the order with other brokers; it lies in these NATS servers with `JetStream`, each
    /// written as `nats://HOST[:PORT]` or `tls://HOST[:PORT]`
    #[arg(
        id = "cluster",
        long = "cluster",
        conflicts_with = "in_memory",
        env = "ORDEN_CLUSTER",
        value_name = "URL,...",
        value_delimiter = ','
    )]
    urls: Vec<String>,
    #[command(flatten)]
    servers: Servers,
    /// What this broker is called among them (default: the host's name); a newer one of the same
    /// name takes over
    #[arg(
        long,
        env = "ORDEN_BROKER_NAME",
        value_name = "NAME",
        requires = "cluster"
    )]
    broker_name: Option<String>,
    /// Let the stream forget what a snapshot replaces, but keep at least so many bytes of records;
    /// the same at all brokers (default: it keeps everything)
    #[arg(
        long,
        env = "ORDEN_STREAM_KEEP_BYTES",
        value_name = "BYTES",
        requires = "cluster"
    )]
    stream_keep_bytes: Option<u64>,
}

/// What is said of the servers, besides where they are.
#[derive(Debug, Args)]
pub(crate) struct Servers {
    /// The stream that holds the order
    #[arg(
        long,
        env = "ORDEN_STREAM",
        value_name = "NAME",
        default_value = "orden"
    )]
    stream: String,
    /// Who we are to the servers: a NATS credentials file
    #[arg(long, env = "ORDEN_CLUSTER_CREDS", value_name = "FILE")]
    cluster_creds: Option<PathBuf>,
    /// The certificates that the servers' are signed with; with it everything is encrypted
    #[arg(long, env = "ORDEN_CLUSTER_CA", value_name = "FILE")]
    cluster_ca: Option<PathBuf>,
    /// Our own certificate to the servers
    #[arg(
        long,
        env = "ORDEN_CLUSTER_CERT",
        value_name = "FILE",
        requires = "cluster_key"
    )]
    cluster_cert: Option<PathBuf>,
    /// Its key
    #[arg(
        long,
        env = "ORDEN_CLUSTER_KEY",
        value_name = "FILE",
        requires = "cluster_cert"
    )]
    cluster_key: Option<PathBuf>,
    /// The servers' monitoring addresses, `http://HOST:PORT`, to check what the stream does not say:
    /// whether they sync before they confirm
    #[arg(
        long,
        env = "ORDEN_STREAM_MONITOR",
        value_name = "URL,...",
        value_delimiter = ','
    )]
    stream_monitor: Vec<String>,
    /// Take a stream with fewer than three copies
    #[arg(long, env = "ORDEN_INSECURE_SINGLE_COPY", value_parser = BoolishValueParser::new())]
    insecure_single_copy: bool,
}

/// What can be done about the stream that several brokers share.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make the stream, and found an order in it; nothing is changed if it holds one
    Create {
        #[command(flatten)]
        place: Place,
        /// Found the order of the broker that was alone with this log, which must be stopped: with
        /// the same numbers and sessions. One of the brokers goes on with the log
        #[arg(long, value_name = "DIR")]
        from: Option<PathBuf>,
        /// After so many bytes of records a snapshot of the order's state goes into the stream:
        /// what lies before one can be removed
        #[arg(long, value_name = "BYTES", default_value_t = 64 << 20,
            value_parser = clap::value_parser!(u64).range(4096..))]
        snapshot_bytes: u64,
    },
    /// Is the stream there, and safe?
    Check(Place),
    /// Make the stream anew, and found its order in it as a stopped broker's journal has it: when
    /// histories differ, or the stream is lost
    Reseed {
        #[command(flatten)]
        place: Place,
        /// The journal that the order goes on with: the longest one
        #[arg(long, env = "ORDEN_DATA", value_name = "DIR")]
        data: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The NATS servers that hold the order
    #[arg(
        long,
        env = "ORDEN_CLUSTER",
        value_name = "URL,...",
        value_delimiter = ',',
        required = true
    )]
    cluster: Vec<String>,
    #[command(flatten)]
    servers: Servers,
    /// The most bytes of one message, of all brokers
    #[arg(long, env = "ORDEN_MAX_MESSAGE_BYTES", value_name = "BYTES",
        default_value_t = Limits::default().message_bytes,
        value_parser = size(1..=256 << 20))]
    pub(crate) max_message_bytes: usize,
    /// Reach servers beyond this machine without encryption
    #[arg(long, env = "ORDEN_INSECURE", value_parser = BoolishValueParser::new())]
    insecure: bool,
}

/// Why there is no stream to work with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The stream.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// What it holds.
    #[error(transparent)]
    Broker(#[from] broker::Error),
    /// What was given is no name.
    #[error("--broker-name {0}: {1}")]
    Name(String, orden::wire::BadName),
    /// Brokers write to the stream.
    #[error("brokers are still at work: stop them first")]
    AtWork,
    /// The system.
    #[error(transparent)]
    System(#[from] io::Error),
}

impl Error {
    /// What the program ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::AtWork
            | Self::Name(..)
            | Self::Stream(
                StreamError::Address { .. }
                | StreamError::StreamName(_)
                | StreamError::Plaintext(_)
                | StreamError::Payload { .. },
            ) => 1,
            Self::Broker(error) => exit_code(error),
            Self::Stream(_) | Self::System(_) => 3,
        }
    }
}

impl Error {
    /// What one can do, unless the error says it.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Broker(error) => hint(error),
            _ => "",
        }
    }
}

impl Place {
    /// What to reach the stream with.
    pub(crate) fn options(&self) -> Options {
        let mut options = self.servers.options(&self.cluster);
        options.message_bytes = self.max_message_bytes;
        options.allow_plaintext = self.insecure;
        options
    }

    /// The stream's name.
    pub(crate) fn stream(&self) -> &str {
        &self.servers.stream
    }
}

impl Servers {
    fn options(&self, servers: &[String]) -> Options {
        let mut options = Options::new(servers.to_vec(), &self.stream);
        options.credentials.clone_from(&self.cluster_creds);
        options.authority.clone_from(&self.cluster_ca);
        options.certificate = self.cluster_cert.clone().zip(self.cluster_key.clone());
        options.monitors.clone_from(&self.stream_monitor);
        options.allow_single_copy = self.insecure_single_copy;
        options
    }
}

impl Cluster {
    /// Whether the order is shared.
    pub(crate) fn is_wanted(&self) -> bool {
        !self.urls.is_empty()
    }

    /// Reaches the stream.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(crate) fn reach(&self, message_bytes: usize, insecure: bool) -> Result<Membership, Error> {
        let name = match &self.broker_name {
            Some(name) => name.clone(),
            None => rustix::system::uname()
                .nodename()
                .to_string_lossy()
                .into_owned(),
        };
        let give_up = give_up()?;
        let name = Name::new(name.as_bytes()).map_err(|bad| Error::Name(name, bad))?;
        let mut options = self.servers.options(&self.urls);
        options.message_bytes = message_bytes;
        options.allow_plaintext = insecure;
        Ok(Membership {
            name,
            stream: Box::new(Nats::start(options)?),
            keep_bytes: self.stream_keep_bytes,
            give_up,
        })
    }
}

/// Set by a signal that says to stop.
fn give_up() -> io::Result<Arc<AtomicBool>> {
    let give_up = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&give_up))?;
    }
    Ok(give_up)
}
