//! The broker's shell: sockets, threads and clocks around the sequencing machine.
//!
//! Three threads. The `dispatcher` owns the sockets, the sequencer (`driver`) the machine and
//! the log, the `loader` reads old stretches of the log. Between them lie bounded channels
//! (`exchange`). With keys there is a fourth, `access_list`, which watches the key files.

mod access_list;
mod ack_map;
mod auth;
mod bind;
mod config;
mod connection_table;
mod connection_tracker;
mod dispatcher;
mod driver;
mod error;
mod event_log;
mod exchange;
mod founding;
mod in_process;
mod key_list;
mod loader;
mod membership;
mod monitor;
mod moving;
mod operator;
mod outside;
mod pulse;
mod rate;
mod sockets;
mod stopper;
mod tracer;
mod transport;
mod turned_away;
mod vitals;
mod zap;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread::{Builder, JoinHandle};

use crossbeam_channel::bounded;

use self::access_list::AccessReload;
use self::auth::Auth;
use self::connection_tracker::Bounds;
use self::dispatcher::{Dispatcher, Signals};
use self::driver::{Driver, Round};
use self::exchange::{INBOUND_BURSTS, LOADS, OUTBOUND_BURSTS};
use self::membership::{Joined, Joining};
use self::outside::{Handles, Watch};
use self::sockets::Options;
use self::transport::Transport;
use crate::commit::CommitLoop;
use crate::core::{Seed, Sequencer};
use crate::net::Clock;
use crate::net::received::Received;
use crate::net::waker::waker;
use crate::store::{self, Beginning, Identity, LogReader, Opened, Run};

pub use crate::commit::{BadSync, Sync};
pub use ack_map::{AckMap, Status};
pub use config::{Config, ConnectionLimits, Security, Storage};
pub use error::Error;
pub use founding::{found, founding};
pub use in_process::{Ear, InProcess, NotTaken};
pub use membership::Membership;
pub use moving::{Move, Use, is_unfounded, look_at_use};
pub use operator::{NotDone, Operator};
pub use outside::Outside;
pub use pulse::Pulse;
pub use stopper::Stopper;
pub use vitals::Vitals;

/// Bytes of a frame besides its one largest message.
const FRAME_OVERHEAD: usize = 64 << 10;
/// The part of what is received that is for plain TCP: one in so many bytes.
const TCP_SHARE: u64 = 8;

/// A broker that runs in threads of its own.
#[derive(Debug)]
pub struct Broker {
    endpoints: Vec<String>,
    outside: Outside,
    threads: Vec<JoinHandle<Outcome>>,
}

impl Broker {
    /// Opens the log, binds the sockets and starts to serve.
    ///
    /// # Errors
    /// What prevents that.
    pub fn start(config: &Config) -> Result<Self, Error> {
        Self::start_with(config, None)
    }

    /// The same as one of several brokers: it binds its sockets once it has caught up with them.
    ///
    /// # Errors
    /// What prevents that.
    pub fn start_among(config: &Config, membership: Membership) -> Result<Self, Error> {
        Self::start_with(config, Some(Joining::begin(membership)?))
    }

    fn start_with(config: &Config, joining: Option<Joining>) -> Result<Self, Error> {
        let context = sockets::context()?;
        // Before any socket is bound, so that no peer connects unchecked.
        let auth = config.security.as_ref().map(Auth::open).transpose()?;
        let zap = auth.as_ref().map(|auth| auth.zap_handler(&context));
        let zap = zap.transpose()?;
        let clock = Clock::start();
        let (reader, vitals, mut joined) = prepare(config, auth.as_ref(), joining, &clock)?;
        let (serving, auth_stops) = bounded(0);
        let transport = Transport::bind(&context, &options(config), zap, serving)?;
        let endpoints = transport.endpoints()?;

        let (waker, sleeper) = waker()?;
        let signals = Arc::new(Signals::default());
        let (inbound_in, inbound_out) = bounded(INBOUND_BURSTS);
        let (outbound_in, outbound_out) = bounded(OUTBOUND_BURSTS);
        let (loads_in, loads_out) = bounded(LOADS);
        let ack_map = AckMap::default();
        let in_process = InProcess::new(inbound_in.clone());
        let (living, token) = Watch::over(3 + usize::from(auth.is_some()));
        let rounds = Arc::new(AtomicU64::new(0));
        let (reloads, asked) = bounded(1);
        let handles = Handles {
            in_process: in_process.clone(),
            operator: Operator::new(inbound_in.clone()),
            pulse: Pulse::new(&rounds, &inbound_in),
            access: auth.as_ref().map(|_| AccessReload::new(reloads)),
            stopper: Stopper::new(&signals, &waker),
            vitals: vitals.clone(),
        };
        // A status before the first round shows what the log holds, not nothing.
        ack_map.show(clock.now(), &mut joined.commits);
        let machine = joined.commits.machine();
        let outside = Outside::new(machine, reader.fork(), &ack_map, handles, living);
        let driver = Driver {
            commits: joined.commits,
            clock,
            inbound: inbound_out,
            outbound: outbound_in,
            loads: loads_in,
            waker,
            signals: Arc::clone(&signals),
            ack_map: ack_map.clone(),
            rounds,
            vitals: vitals.clone(),
            round: Round::default(),
            first: joined.ready,
        };
        let (loaded, auth_inbound) = (inbound_in.clone(), inbound_in.clone());
        let channels = (inbound_in, outbound_out, in_process);
        let dispatcher = Dispatcher::new(transport, sleeper, signals, channels, vitals);
        let mut threads = vec![
            spawn("sequencer", &token, move || driver.run())?,
            spawn("dispatcher", &token, move || dispatcher.run())?,
            spawn("loader", &token, move || {
                loader::run(reader, &loads_out, &loaded);
                Ok(())
            })?,
        ];
        if let Some(auth) = auth {
            threads.push(auth.start((auth_stops, asked), auth_inbound, token)?);
        }
        Ok(Self {
            endpoints,
            outside,
            threads,
        })
    }

    /// The endpoints that are served, with real ports, the ROUTER's first.
    pub fn endpoints(&self) -> &[String] {
        &self.endpoints
    }

    /// A view of how far each member is.
    pub fn ack_map(&self) -> &AckMap {
        &self.outside.ack_map
    }

    /// A handle to stop it with.
    pub fn stopper(&self) -> Stopper {
        self.outside.stopper.clone()
    }

    /// What the rest of this process needs to look at it, to read and to speak.
    pub fn outside(&self) -> &Outside {
        &self.outside
    }

    /// Waits until the broker has ended: because it was stopped, or because something failed.
    ///
    /// # Errors
    /// What failed first.
    ///
    /// # Panics
    /// If one of its threads has.
    pub fn wait(self) -> Result<(), Error> {
        let mut ends = Vec::new();
        for thread in self.threads {
            match thread.join() {
                Ok(end) => ends.extend(end.err()),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        // That another thread is gone is only how the others hear of the cause.
        let consequence = |error: &Error| matches!(error, Error::ThreadGone(_));
        ends.sort_by_key(consequence);
        ends.into_iter().next().map_or(Ok(()), Err)
    }
}

type Outcome = Result<(), Error>;

/// Starts a thread that holds a token while it lives.
fn spawn(
    name: &str,
    token: &Arc<()>,
    work: impl FnOnce() -> Outcome + Send + 'static,
) -> Result<JoinHandle<Outcome>, Error> {
    let token = Arc::clone(token);
    let thread = Builder::new().name(name.into()).spawn(move || {
        let outcome = work();
        drop(token); // a panic drops it, too
        outcome
    })?;
    Ok(thread)
}

/// What the sockets are to be like.
fn options(config: &Config) -> Options {
    let window = usize::try_from(config.limits.window_frames).unwrap_or(usize::MAX);
    let ConnectionLimits {
        connections_a_second,
        handshake,
        received_bytes,
    } = config.connections;
    let secret = config
        .security
        .as_ref()
        .map(|security| security.secret.clone());
    Options {
        endpoint: config.endpoint.clone(),
        tcp_endpoint: config.tcp_endpoint.clone(),
        frame_bytes: config.limits.message_bytes.saturating_add(FRAME_OVERHEAD),
        // Confirmations, answers and frames sent again come on top of the window.
        send_high_water_mark: window.saturating_mul(2),
        handshake,
        received: Received::with_room(received_bytes - received_bytes / TCP_SHARE),
        tcp_received: Received::with_room(received_bytes / TCP_SHARE),
        bounds: Bounds {
            a_second: connections_a_second,
            // Without keys, a peer may be known again before it has said a word.
            silence: secret.is_some().then_some(handshake * 2),
        },
        secret,
    }
}

/// The machine on its log; among several brokers, one that serves already.
fn prepare(
    config: &Config,
    auth: Option<&Auth>,
    joining: Option<Joining>,
    clock: &Clock,
) -> Result<(Box<dyn LogReader>, Vitals, Joined), Error> {
    let mut opened = open_log(&config.storage, joining.as_ref())?;
    let founding = joining.as_ref().map(|joining| &joining.founding);
    membership::check(&opened.recovered, config, founding)?;
    let (reader, vitals) = (
        opened.log.reader(),
        Vitals::of(&opened, config.limits.members),
    );
    let mut seed = Seed::default();
    getrandom::fill(&mut seed).map_err(|error| Error::Randomness(error.to_string()))?;
    let (now, mut limits) = (clock.now_with_wall(), config.limits.clone());
    if let Some(founding) = founding {
        limits.publish_window = founding.publish_window; // what is recovered is kept as all keep it
    }
    let mark = opened.recovered.mark.take();
    let machine = Sequencer::new(now, limits, opened.recovered, seed);
    let machine = match auth {
        Some(auth) => auth.watch_over(machine),
        None => machine,
    };
    let commits = |machine| CommitLoop::new(machine, opened.log, config.sync);
    let joined = match joining {
        None => Joined::alone(commits(machine)),
        Some(joining) => {
            let machine = machine.among(now, joining.name(), mark);
            joining.join(commits(machine), clock)?
        }
    };
    Ok((reader, vitals, joined))
}

/// Opens the log, wherever it is, and says what it holds.
fn open_log(storage: &Storage, joining: Option<&Joining>) -> Result<Opened, Error> {
    let begin = || match joining {
        None => store::draw_identity().map(Beginning::from),
        Some(Joining {
            founding, state, ..
        }) => Ok(Beginning {
            identity: Identity {
                log_id: founding.log_id,
                secret: founding.secret,
            },
            state: state.clone(),
        }),
    };
    let opened = match storage {
        Storage::Memory(options) => store::memory(begin()?.identity, *options),
        Storage::Files(options) => {
            let positions = joining.is_some();
            let options = store::Options {
                positions,
                ..options.clone()
            };
            store::open_as(&options, begin)?
        }
        Storage::Medium(medium, options) => {
            let (medium, fresh) = (Arc::clone(medium), begin()?);
            store::open_on(medium, options, Run::Background, fresh)?
        }
    };
    log_opened(&opened);
    Ok(opened)
}

/// Says what the log holds, and what recovery has done to it.
fn log_opened(opened: &Opened) {
    let recovered = &opened.recovered;
    log::info!(
        "log {:016x}: next order number {}, {} members known",
        recovered.log_id.0,
        recovered.next,
        recovered.len()
    );
    if let Some(repair) = &opened.repair {
        log::warn!(
            "{}: cut off at byte {}: {} bytes that a crash had left unfinished and that no \
             client had been told of",
            repair.file.display(),
            repair.offset,
            repair.bytes
        );
    }
}
