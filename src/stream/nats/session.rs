//! The connection to the servers, and one request at a time to them.

use std::io;
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, RequestErrorKind};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::error::Error;
use super::fitness::{VERSION, wanted};
use super::info::{Answer, ApiError, Info};
use super::options::{Make, Options};

/// How long to wait for the answer to a request.
const ANSWER: Duration = Duration::from_secs(1);
/// A stopped server is found out after two of these; the client's own 60 s held a broker for long.
const PING: Duration = Duration::from_secs(1);
/// How long one attempt to connect may take.
const CONNECT: Duration = Duration::from_secs(2);
/// Messages that wait in a subscription: more than one fetch asks for.
const WAITING: usize = 1024;
/// Changes of the connection that wait to be looked at; a look sees the newest state anyhow.
const CHANGES: usize = 16;
const RETRY: Duration = Duration::from_millis(250);
const COMPLAIN_AGAIN: Duration = Duration::from_secs(10);

/// What came of a request.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// The API has refused.
    Refused(ApiError),
    /// No leader, no connection, or nothing in time.
    Silent(String),
}

impl NoAnswer {
    pub(super) fn is_no_stream(&self) -> bool {
        matches!(self, Self::Refused(error) if error.is_no_stream())
    }

    pub(super) fn is_no_message(&self) -> bool {
        matches!(self, Self::Refused(error) if error.is_no_message())
    }
}

impl std::fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(error) => write!(f, "{} ({})", error.description, error.err_code),
            Self::Silent(why) => f.write_str(why),
        }
    }
}

/// The connection, and the stream's name.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) client: Client,
    stream: String,
}

impl Session {
    /// Connects, trying again until the options' patience is over.
    pub(super) async fn connect(options: &Options) -> Result<(Self, mpsc::Receiver<()>), Error> {
        let addresses = options.check()?;
        let (signal, changes) = mpsc::channel(CHANGES);
        let begun = Instant::now();
        let mut complained: Option<Instant> = None;
        let client = loop {
            let connecting = connect_options(options, signal.clone()).await?;
            match connecting.connect(addresses.clone()).await {
                Ok(client) => break client,
                Err(error) => {
                    let is_refused = matches!(
                        error.kind(),
                        ConnectErrorKind::Authentication | ConnectErrorKind::AuthorizationViolation
                    );
                    if is_refused || begun.elapsed() >= options.patience {
                        return Err(Error::Unreachable(error.to_string()));
                    }
                    if complained.is_none_or(|at| at.elapsed() >= COMPLAIN_AGAIN) {
                        log::warn!("no NATS server is reached yet: {error}; trying again");
                        complained = Some(Instant::now());
                    }
                }
            }
            tokio::time::sleep(RETRY).await;
        };
        let stream = options.stream_name();
        Ok((Self { client, stream }, changes))
    }

    /// Fails if the server that was reached is too old, or takes too little.
    pub(super) fn check_server(&self, options: &Options) -> Result<(), Error> {
        let info = self.client.server_info();
        let (major, minor, patch) = VERSION;
        if !self.client.is_server_compatible(major, minor, patch) {
            return Err(Error::OldServer(info.version));
        }
        let needed = options.payload_bytes();
        if info.max_payload < needed {
            return Err(Error::Payload {
                found: info.max_payload,
                needed,
                fits: (info.max_payload + options.message_bytes).saturating_sub(needed),
            });
        }
        Ok(())
    }

    /// Where records are read by position, from any server.
    pub(super) fn direct_get(&self) -> String {
        format!("$JS.API.DIRECT.GET.{}", self.stream)
    }

    /// Asks the API.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        what: &str,
        request: &Value,
    ) -> Result<T, NoAnswer> {
        let subject = format!("$JS.API.STREAM.{what}.{}", self.stream);
        let body = match request {
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let asked = self.client.request(subject, body.into());
        let message = match tokio::time::timeout(ANSWER, asked).await {
            Ok(Ok(message)) => message,
            Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => {
                return Err(NoAnswer::Silent(
                    "JetStream is off, or has no leader".into(),
                ));
            }
            Ok(Err(error)) => return Err(NoAnswer::Silent(error.to_string())),
            Err(_) => return Err(NoAnswer::Silent("no answer within a second".into())),
        };
        let answer: Answer<T> = serde_json::from_slice(&message.payload)
            .map_err(|error| NoAnswer::Silent(format!("an answer that cannot be read: {error}")))?;
        match (answer.error, answer.value) {
            (Some(error), _) => Err(NoAnswer::Refused(error)),
            (None, Some(value)) => Ok(value),
            (None, None) => Err(NoAnswer::Silent("an answer without what was asked".into())),
        }
    }

    /// What the stream is, and how far it goes.
    pub(super) async fn info(&self) -> Result<Info, NoAnswer> {
        self.ask("INFO", &Value::Null).await
    }

    /// Deletes the stream, if there is one.
    pub(super) async fn delete(&self, options: &Options) -> Result<(), Error> {
        let begun = Instant::now();
        loop {
            match self.ask::<Value>("DELETE", &Value::Null).await {
                Ok(_) => {
                    log::info!("deleted the stream {}", self.stream);
                    return Ok(());
                }
                Err(error) if error.is_no_stream() => return Ok(()),
                Err(error) if begun.elapsed() >= options.patience => {
                    let why = format!("it cannot be deleted: {error}");
                    let stream = self.stream.clone();
                    return Err(Error::Unavailable { stream, why });
                }
                Err(error) => log::debug!("{} is not deleted yet: {error}", self.stream),
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Looks at the stream until it has a leader, makes it if that is wanted and there is none.
    pub(super) async fn find(&self, options: &Options) -> Result<Info, Error> {
        let begun = Instant::now();
        loop {
            let why = match self.info().await {
                Ok(info) if info.leader().is_some() => return Ok(info),
                Ok(_) => "it has no leader".to_owned(),
                Err(error) if error.is_no_stream() && options.make == Make::Never => {
                    return Err(Error::NoStream(self.stream.clone()));
                }
                Err(error) if error.is_no_stream() => {
                    let made = self.ask::<Info>("CREATE", &wanted(options)).await;
                    match made {
                        Ok(_) => {
                            log::info!("made the stream {}", self.stream);
                            continue;
                        }
                        Err(error) => format!("it cannot be made: {error}"),
                    }
                }
                Err(error) => error.to_string(),
            };
            if begun.elapsed() >= options.patience {
                let stream = self.stream.clone();
                return Err(Error::Unavailable { stream, why });
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}

async fn connect_options(
    options: &Options,
    changed: mpsc::Sender<()>,
) -> Result<ConnectOptions, Error> {
    let mut connecting = ConnectOptions::new()
        .name("orden-broker")
        .ping_interval(PING)
        .connection_timeout(CONNECT)
        .subscription_capacity(WAITING)
        // What a server calls itself may not be reachable from here, nor be meant to be.
        .ignore_discovered_servers()
        .require_tls(options.is_encrypted())
        .event_callback(move |event| {
            let changed = changed.clone();
            async move {
                match event {
                    Event::Connected | Event::Disconnected | Event::Closed => {}
                    other => log::debug!("NATS: {other}"),
                }
                if changed.try_send(()).is_err() {
                    log::trace!("looked at soon anyhow");
                }
            }
        });
    if let Some(file) = &options.credentials {
        let named = |why: io::Error| Error::Identity {
            file: file.display().to_string(),
            why: why.to_string(),
        };
        connecting = connecting.credentials_file(file).await.map_err(named)?;
    }
    if let Some(file) = &options.authority {
        connecting = connecting.add_root_certificates(file.clone());
    }
    if let Some((certificate, key)) = &options.certificate {
        connecting = connecting.add_client_certificate(certificate.clone(), key.clone());
    }
    Ok(connecting)
}
