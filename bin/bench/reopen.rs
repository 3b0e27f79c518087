//! A long log: how soon a broker that was killed serves it again, and how fast a new member reads
//! it from the start.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use orden::broker::Sync;
use orden::client::{self, Connection, Context, connection};
use orden::core::participant::{Event, Limits, PublishError, Settings};
use orden::wire::Name;
use orden::wire::native::Start;
use serde_json::json;

use super::clock::Clock;
use super::error::Error;
use super::human;
use super::output::Format;
use super::progress::Progress;
use super::server::{self, Server, directory};
use super::stamp::{Payload, Script, Stamp};

/// How long nothing may happen before this counts as failed.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often it is looked whether the user has had enough.
const WAIT: Duration = Duration::from_millis(50);
const SECOND: f64 = 1e9;

const AFTER_HELP: &str = "\
The log is filled by one publisher without a subscriber, and synced when the system likes. Then
the broker is killed, so that the next one has its last segment to recover, and has to read every
message of that. What is read was written a moment ago: with enough memory it comes from there.";

/// How long the log is to be.
#[derive(Clone, Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct ReopenArgs {
    /// Messages in the log
    #[arg(
        long,
        env = "ORDEN_MESSAGES",
        value_name = "COUNT",
        default_value_t = 10_000_000,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    messages: u32,
    /// Bytes of a message
    #[arg(long, env = "ORDEN_SIZE", value_name = "BYTES", default_value_t = 120)]
    size: usize,
    /// Where the log's temporary directory is made (default: the system's, unless that is memory)
    #[arg(long, env = "ORDEN_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// A table for people, or one line for scripts
    #[arg(long, env = "ORDEN_FORMAT", value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

/// What it has taken, in nanoseconds.
pub(super) struct Figures {
    messages: u32,
    size: usize,
    log_bytes: u64,
    fill: u64,
    reopen: u64,
    read: u64,
}

/// Fills a log, kills the broker, starts another, and reads.
pub(super) fn reopen(args: &ReopenArgs, interrupted: &AtomicBool) -> Result<Figures, Error> {
    let least = Script::Bytes.least_size();
    if args.size < least {
        return Err(Error::Usage(format!("--size: at least {least}")));
    }
    let within = server::disk(args.data.as_deref())?;
    let log = directory(&within)?;
    let clock = Clock::start();
    let payload = Payload::new(0, Script::Bytes, args.size);
    let mut work = Work {
        messages: args.messages,
        payload,
        interrupted,
        heard: 0,
        clock,
    };

    let server = Server::start_in(log.path(), Sync::Never)?;
    let start = clock.now();
    work.fill(&server)?;
    let fill = clock.now() - start;
    server.kill()?;

    let start = clock.now();
    let server = Server::start_in(log.path(), Sync::Never)?;
    let reopen = clock.now() - start;

    let start = clock.now();
    work.heard = start;
    work.read(&server)?;
    Ok(Figures {
        messages: args.messages,
        size: args.size,
        log_bytes: bytes_in(log.path())?,
        fill,
        reopen,
        read: clock.now() - start,
    })
}

struct Work<'a> {
    messages: u32,
    payload: Payload,
    interrupted: &'a AtomicBool,
    clock: Clock,
    /// When anything has happened last.
    heard: u64,
}

impl Work<'_> {
    fn fill(&mut self, server: &Server) -> Result<(), Error> {
        let progress = Progress::of(self.messages.into(), "fill the log");
        let (mut connection, clock) = connect(server, "fill", Start::Now, false)?;
        let mut published = 0;
        loop {
            connection.pump(clock.now())?;
            let is_welcome = connection.machine().last_sequence().is_some();
            while is_welcome && published < self.messages {
                let stamp = stamp(published);
                match connection.try_publish(self.payload.write(stamp)) {
                    Ok(_) => published += 1,
                    Err(PublishError::WindowFull) => break,
                    Err(error) => return Err(Error::Peer(error.to_string())),
                }
            }
            connection.pump(clock.now())?;
            while connection.next_deliveries(clock.now())?.is_some() {}
            if hear(&mut connection)? {
                self.heard = self.clock.now();
            }
            let unconfirmed = connection.machine().unconfirmed();
            let unconfirmed = unconfirmed.map_or(0, |(_, count)| count);
            progress.show(u64::from(published).saturating_sub(unconfirmed));
            if published == self.messages && unconfirmed == 0 {
                return Ok(());
            }
            self.wait(&connection, clock)?;
        }
    }

    fn read(&mut self, server: &Server) -> Result<(), Error> {
        let progress = Progress::of(self.messages.into(), "read the log");
        let (mut connection, clock) = connect(server, "read", Start::Beginning, true)?;
        let mut next = 0;
        while next < self.messages {
            connection.pump(clock.now())?;
            while let Some(deliveries) = connection.next_deliveries(clock.now())? {
                self.heard = self.clock.now();
                for record in deliveries.records() {
                    let record = record.map_err(|error| Error::Peer(error.to_string()))?;
                    match self.payload.read(record.payload) {
                        Ok(None) => {}
                        Ok(Some(found)) if found == stamp(next) => next += 1,
                        Ok(Some(_)) | Err(_) => {
                            return Err(Error::Peer(format!("message {next} is another one")));
                        }
                    }
                }
                progress.show(next.into());
            }
            hear(&mut connection)?;
            self.wait(&connection, clock)?;
        }
        Ok(())
    }

    fn wait(&self, connection: &Connection, clock: client::Clock) -> Result<(), Error> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        if u128::from(self.clock.now() - self.heard) > PATIENCE.as_nanos() {
            return Err(Error::Peer("nothing happens any more".to_owned()));
        }
        let deadline = connection.deadline().map(|at| clock.until(at));
        let timeout = deadline.map_or(WAIT, |left| left.min(WAIT));
        connection::wait([connection], &[], Some(timeout))?;
        Ok(())
    }
}

fn stamp(sequence: u32) -> Stamp {
    Stamp {
        publisher: 0,
        sequence,
        sent_at: 0,
    }
}

fn connect(
    server: &Server,
    name: &str,
    start: Start,
    receive: bool,
) -> Result<(Connection, client::Clock), Error> {
    let name = Name::new(name.as_bytes());
    let mut settings = Settings::new(name.map_err(|error| Error::Usage(error.to_string()))?);
    settings.start = start;
    settings.receive = receive;
    let limits = Limits::default();
    let connection = Connection::open(&Context::new(), &server.address, settings, limits)?;
    Ok((connection, client::Clock::start()))
}

/// Whether there was good news; anything else ends the run.
fn hear(connection: &mut Connection) -> Result<bool, Error> {
    let mut any = false;
    while let Some(event) = connection.next_event() {
        match event {
            Event::Welcomed(_) | Event::Confirmed(_) => any = true,
            other => return Err(Error::Peer(format!("a peer heard {other:?}"))),
        }
    }
    Ok(any)
}

fn bytes_in(directory: &Path) -> Result<u64, Error> {
    let failed = || Error::system("read", directory);
    let mut sum = 0;
    for entry in std::fs::read_dir(directory).map_err(failed())? {
        let metadata = entry.and_then(|entry| entry.metadata());
        sum += metadata.map_err(failed())?.len();
    }
    Ok(sum)
}

impl Figures {
    fn a_second(&self, nanoseconds: u64) -> f64 {
        f64::from(self.messages) * SECOND / human::as_float(nanoseconds.max(1))
    }

    /// For people.
    pub(super) fn table(&self) -> String {
        let rate = |nanoseconds| human::count(self.a_second(nanoseconds));
        let time = |nanoseconds| human::micros(human::as_float(nanoseconds) / 1000.0);
        format!(
            "{} messages of {}, {} on disk\n\
             filled          {:>8}  {} messages/s\n\
             served again    {:>8}  after kill -9\n\
             read from start {:>8}  {} messages/s, each one checked\n",
            human::count(f64::from(self.messages)),
            human::bytes(self.size as u64),
            human::bytes(self.log_bytes),
            time(self.fill),
            rate(self.fill),
            time(self.reopen),
            time(self.read),
            rate(self.read),
        )
    }

    /// For scripts.
    pub(super) fn json(&self) -> String {
        let seconds = |nanoseconds| human::as_float(nanoseconds) / SECOND;
        json!({
            "messages": self.messages,
            "size": self.size,
            "log_bytes": self.log_bytes,
            "fill_seconds": seconds(self.fill),
            "reopen_seconds": seconds(self.reopen),
            "read_seconds": seconds(self.read),
            "read_messages_per_second": self.a_second(self.read),
        })
        .to_string()
    }
}
