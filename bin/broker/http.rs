//! The flags about HTTP, and what they come to.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use orden::broker::Config;
use orden::net::Address;
use orden::web::{self, BadToken, Bound, Token, Web};

#[derive(Debug, Args)]
#[command(next_help_heading = "HTTP")]
pub(crate) struct Http {
    /// Also serve metrics, health, status, the messages and a page over HTTP here: HOST:PORT,
    /// :PORT (localhost) or *:PORT (everywhere)
    #[arg(
        id = "http_address",
        long = "http-address",
        env = "ORDEN_HTTP_ADDRESS",
        value_name = "ADDRESS"
    )]
    address: Option<Address>,
    /// Show contents only to those who know the token in this file; needed beyond this machine,
    /// and with --curve-key anywhere
    #[arg(
        id = "http_token",
        long = "http-token",
        env = "ORDEN_HTTP_TOKEN",
        value_name = "FILE",
        requires = "http_address"
    )]
    token: Option<PathBuf>,
    /// Names that this server goes by, besides the address itself
    #[arg(
        id = "http_host",
        long = "http-host",
        env = "ORDEN_HTTP_HOST",
        value_name = "NAME,...",
        value_delimiter = ',',
        requires = "http_address"
    )]
    hosts: Vec<String>,
}

/// Why nothing can be served over HTTP.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// An address that a browser could not be given.
    #[error("{} is no address for HTTP", .0.to_bind())]
    Address(Address),
    /// No token in the file.
    #[error("--http-token {0}")]
    Token(#[from] BadToken),
    /// The server.
    #[error(transparent)]
    Web(#[from] web::Error),
}

impl Error {
    /// What the program ends with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Address(_) | Self::Token(_) | Self::Web(web::Error::Host(_)) => 1,
            Self::Web(_) => 3,
        }
    }

    /// What one can do.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Address(_) => "write HOST:PORT, :PORT or *:PORT",
            Self::Token(_) => "(umask 077; openssl rand -hex 32 > FILE) makes one",
            Self::Web(web::Error::Bind { .. }) => {
                "is another program using this address? port 0 takes any free one"
            }
            Self::Web(_) => "",
        }
    }
}

/// An address that is bound, and what to serve there.
pub(crate) struct Prepared {
    bound: Bound,
    config: web::Config,
}

impl Http {
    /// Binds the address, if one is given, before anything else has happened.
    pub(crate) fn prepare(&self, config: &Config) -> Result<Option<Prepared>, Error> {
        let Some(address) = &self.address else {
            return Ok(None);
        };
        let token = self.token.as_deref().map(Token::read).transpose()?;
        let bound = Bound::bind(&socket_address(address)?)?;
        let keys = config.security.is_some();
        if token.is_none() && (keys || !bound.address().ip().is_loopback()) {
            log::warn!(
                "http: without --http-token only health and metrics are shown at {}",
                bound.address()
            );
        }
        let config = web::Config {
            token,
            hosts: self.hosts.clone(),
            keys,
            message_bytes: config.limits.message_bytes,
        };
        Ok(Some(Prepared { bound, config }))
    }
}

impl Prepared {
    /// Where it will be served.
    pub(crate) fn address(&self) -> SocketAddr {
        self.bound.address()
    }

    /// Serves until the result is dropped; what there is to see, once it is shown.
    pub(crate) fn serve(self) -> Result<Web, Error> {
        Ok(self.bound.serve(self.config)?)
    }
}

/// An address as the system's sockets take it; both families at once for any.
fn socket_address(address: &Address) -> Result<String, Error> {
    let endpoint = address.to_bind();
    let place = endpoint.strip_prefix("tcp://");
    let (host, port) = (place.and_then(|place| place.rsplit_once(':')))
        .ok_or_else(|| Error::Address(address.clone()))?;
    let host = if host == "*" { "[::]" } else { host };
    let port = if port == "*" { "0" } else { port };
    Ok(format!("{host}:{port}"))
}
