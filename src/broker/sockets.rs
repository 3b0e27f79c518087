//! How the broker's sockets are made: options, limits, encryption. Nothing here sends or receives.

use std::time::Duration;

use super::bind::bind;
use super::connection_tracker::Bounds;
use super::error::Error;
use super::monitor::RouterMonitor;
use crate::net::Libzmq;
use crate::net::libzmq::{enforce_zap_domain, seed_generated_ids, set_out_batch_size};
use crate::net::received::{Received, bound_received};
use crate::wire::SecretKey;

/// Frames that a peer may have waiting to be read by the broker, or by itself, before TCP is
/// told to slow down. A member's window keeps what is sent below the second.
const RECEIVE_HIGH_WATER_MARK: i32 = 256;
/// Bytes of small messages that go to a connection in one system call. With libzmq's 8 KiB, those
/// calls are a fifth of what a delivery in the binary dialect costs; with more than this nothing
/// is won.
const OUT_BATCH_BYTES: i32 = 32 << 10;
/// ZMTP heartbeats end connections whose host is gone. The timeout is far above any stall: a
/// peer that reads slowly answers late, as its answers queue behind what it has not read.
const HEARTBEAT_MS: i32 = 30_000;
const HEARTBEAT_TIMEOUT_MS: i32 = 120_000;
/// With keys, a connection keeps its routing id until it ends, so those whose host is gone have
/// to end sooner.
const GUARDED_HEARTBEAT_MS: i32 = 10_000;
const GUARDED_HEARTBEAT_TIMEOUT_MS: i32 = 30_000;
/// Any text will do: one has to be set for libzmq to ask.
const ZAP_DOMAIN: &str = "orden";
const KEEPALIVE_IDLE_S: i32 = 60;
const BACKLOG: i32 = 1024;
/// What is still in libzmq's queues when the broker stops has this long to leave.
const LINGER_MS: i32 = 1_000;

/// Where sockets live that can talk to each other within the process.
pub(super) type Context = zmq::Context;

/// What the sockets are to be like.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// The ROUTER's endpoint.
    pub(super) endpoint: String,
    /// The STREAM socket's endpoint, if there is to be one.
    pub(super) tcp_endpoint: Option<String>,
    /// The most bytes of a frame.
    pub(super) frame_bytes: usize,
    /// The most frames on their way to a peer.
    pub(super) send_high_water_mark: usize,
    /// How long a handshake may take.
    pub(super) handshake: Duration,
    /// Bounds what the ROUTER receives and is not dealt with yet.
    pub(super) received: &'static Received,
    /// The same for plain TCP, so that neither takes the other's room.
    pub(super) tcp_received: &'static Received,
    /// Limits for connections.
    pub(super) bounds: Bounds,
    /// The broker's own key, if keys decide who is served.
    pub(super) secret: Option<SecretKey>,
}

/// The ROUTER, bound and watched.
///
/// # Errors
/// The endpoint that cannot be bound, and why.
pub(super) fn router(
    context: &zmq::Context,
    options: &Options,
) -> Result<(zmq::Socket, RouterMonitor), Error> {
    let mut monitor = None;
    let router = bound(context, zmq::ROUTER, &options.endpoint, options, |router| {
        monitor = Some(RouterMonitor::of(router, context)?);
        if let Some(secret) = &options.secret {
            require_keys(router, secret)?;
        } else {
            router.set_router_handover(true)?;
            router.set_heartbeat_ivl(HEARTBEAT_MS)?;
            router.set_heartbeat_timeout(HEARTBEAT_TIMEOUT_MS)?;
        }
        bound_received(router, options.received)?;
        router.set_router_mandatory(true)?;
        router.set_maxmsgsize(i64::try_from(options.frame_bytes).unwrap_or(i64::MAX))?;
        router.set_sndhwm(i32::try_from(options.send_high_water_mark).unwrap_or(i32::MAX))?;
        router.set_rcvhwm(RECEIVE_HIGH_WATER_MARK)
    })?;
    Ok((router, monitor.expect("a socket that is bound is watched")))
}

/// The STREAM socket, if there is to be one.
///
/// # Errors
/// The endpoint that cannot be bound, and why.
pub(super) fn stream(
    context: &zmq::Context,
    options: &Options,
) -> Result<Option<zmq::Socket>, Error> {
    let endpoint = options.tcp_endpoint.as_ref();
    let stream = endpoint.map(|endpoint| {
        bound(context, zmq::STREAM, endpoint, options, |stream| {
            bound_received(stream, options.tcp_received)?;
            stream.set_rcvhwm(RECEIVE_HIGH_WATER_MARK)
        })
    });
    stream.transpose()
}

fn bound(
    context: &zmq::Context,
    kind: zmq::SocketType,
    endpoint: &str,
    options: &Options,
    more: impl FnOnce(&mut zmq::Socket) -> zmq::Result<()>,
) -> Result<zmq::Socket, Error> {
    let mut socket = context.socket(kind)?;
    let handshake = i32::try_from(options.handshake.as_millis()).unwrap_or(i32::MAX);
    socket.set_linger(LINGER_MS)?;
    socket.set_backlog(BACKLOG)?;
    socket.set_handshake_ivl(handshake)?;
    socket.set_tcp_keepalive(1)?;
    socket.set_tcp_keepalive_idle(KEEPALIVE_IDLE_S)?;
    set_out_batch_size(&mut socket, OUT_BATCH_BYTES)?;
    more(&mut socket)?;
    bind(&socket, endpoint)?;
    Ok(socket)
}

/// Admits only peers whose key is on the access list. A second connection under a routing id gets
/// nothing: it may be another peer's, and nothing may be taken from the first.
fn require_keys(router: &mut zmq::Socket, secret: &SecretKey) -> zmq::Result<()> {
    router.set_router_handover(false)?;
    router.set_heartbeat_ivl(GUARDED_HEARTBEAT_MS)?;
    router.set_heartbeat_timeout(GUARDED_HEARTBEAT_TIMEOUT_MS)?;
    router.set_curve_server(true)?;
    router.set_curve_secretkey(secret.as_bytes())?;
    router.set_zap_domain(ZAP_DOMAIN)?;
    enforce_zap_domain(router)
}

/// A context for the broker's sockets, whose generated routing ids cannot be guessed.
///
/// # Errors
/// When the libzmq that is linked is not fit to serve, or the system has no randomness.
pub(super) fn context() -> Result<zmq::Context, Error> {
    let libzmq = Libzmq::linked();
    if !libzmq.is_fit() {
        return Err(Error::UnfitLibzmq(libzmq));
    }
    seed_generated_ids(random_u32()?);
    Ok(zmq::Context::new())
}

/// A number from the system.
///
/// # Errors
/// When the system has no randomness.
pub(super) fn random_u32() -> Result<u32, Error> {
    getrandom::u32().map_err(|error| Error::Randomness(error.to_string()))
}
