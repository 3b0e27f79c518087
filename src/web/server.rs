//! The server: one thread with its runtime, its connections and their limits.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder as Thread, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;
use rustix::net::sockopt;
use tokio::net::{TcpListener as Listener, TcpStream};
use tokio::runtime::{self, Runtime};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::{sleep, timeout};

use super::access::Access;
use super::door::Door;
use super::io::Io;
use super::routes::Site;
use super::{CONNECTIONS, Config, Error, Wiring};
use crate::admin::View;

/// The most bytes of a request's head.
const HEAD_BYTES: usize = 8 << 10;
/// How long a head may take, and how long a connection may say nothing.
const HEAD_TIME: Duration = Duration::from_secs(5);
/// How long those who are being answered have, once the server is to stop.
const FAREWELL: Duration = Duration::from_secs(1);
/// Threads for what waits for a disk or looks at all members; the rest is never waited for.
const BLOCKING: usize = 4;
/// Years after 1970 in which hyper can say the date; some before the last, for open connections.
const BEYOND_DATES: Duration = Duration::from_hours(8_000 * 365 * 24);
/// When a peer that is silent is asked whether it is there, how often, and how many times.
const KEEP_ALIVE: (Duration, Duration, u32) = (Duration::from_mins(1), Duration::from_secs(10), 3);

/// An address that is bound, before there is anything to serve.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

/// A server that runs in a thread of its own; it ends when it is dropped.
#[derive(Debug)]
pub struct Web {
    /// Takes the broker, once there is one.
    broker: Option<oneshot::Sender<Arc<View>>>,
    /// Its end tells the thread to stop.
    stop: Option<watch::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Bound {
    /// Binds an address.
    ///
    /// # Errors
    /// [`Error::Bind`].
    pub fn bind(address: &str) -> Result<Self, Error> {
        let failed = |why| Error::Bind {
            address: address.to_owned(),
            why,
        };
        let listener = TcpListener::bind(address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// The address, with its real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts to serve: health and that nothing listens yet, until [`Web::show`].
    ///
    /// # Errors
    /// When a host is none, or the thread cannot be started.
    pub fn serve(self, config: Config) -> Result<Web, Error> {
        let access = Access::new(&config, self.address)?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .max_blocking_threads(BLOCKING)
            .thread_name("http-blocking")
            .build()?;
        let (stop, stopped) = watch::channel(());
        let (broker, shown) = oneshot::channel();
        let listener = self.listener;
        let thread = Thread::new().name("http".into()).spawn(move || {
            let served = runtime.block_on(run(listener, shown, access, config, stopped));
            if let Err(error) = served {
                log::error!("http: {error}");
            }
            // A disk that hangs must not keep the process from ending.
            Runtime::shutdown_background(runtime);
        })?;
        Ok(Web {
            broker: Some(broker),
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Web {
    /// From now on serves what there is to see of a broker.
    pub fn show(&mut self, view: Arc<View>) {
        if let Some(broker) = self.broker.take() {
            // A thread that has ended has said so.
            broker.send(view).ok();
        }
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic was reported by the thread itself.
            thread.join().ok();
        }
    }
}

async fn run(
    listener: TcpListener,
    mut shown: oneshot::Receiver<Arc<View>>,
    access: Access,
    config: Config,
    mut stopped: watch::Receiver<()>,
) -> std::io::Result<()> {
    let listener = Listener::from_std(listener)?;
    let door = Arc::new(Door::default());
    let mut access = Some(access);
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Ok(view) = &mut shown, if access.is_some() => {
                if let Some(access) = access.take() {
                    let wiring = Arc::new(Wiring::new(view));
                    door.open(Arc::new(Site::new(wiring, access, &config, stopped.clone())));
                }
                continue;
            }
            // It never changes: its sender is gone.
            _ = stopped.changed() => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // No descriptor is left, most likely: some will be.
                door.refused("http_accept", &error.to_string());
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&room).try_acquire_owned() else {
            turn_away(&stream);
            door.refused("http_connections", "64 connections are open");
            continue;
        };
        let (door, stopped) = (Arc::clone(&door), stopped.clone());
        tokio::spawn(async move {
            serve(stream, door, stopped).await;
            drop(place);
        });
    }
    drop(listener);
    let all = u32::try_from(CONNECTIONS).expect("64");
    // Whoever is not done by then has had its time.
    timeout(FAREWELL, room.acquire_many(all)).await.ok();
    Ok(())
}

/// Answers the requests of one connection.
async fn serve(stream: TcpStream, door: Arc<Door>, mut stopped: watch::Receiver<()>) {
    let (Ok(peer), Ok(local)) = (stream.peer_addr(), stream.local_addr()) else {
        return; // It is gone already.
    };
    if let Err(error) = prepare(&stream) {
        door.refused("http_accept", &error.to_string());
        return;
    }
    let begun = Arc::new(AtomicBool::new(false));
    let (answering, beginning) = (Arc::clone(&door), Arc::clone(&begun));
    let service = service_fn(move |request| {
        beginning.store(false, Ordering::Relaxed);
        let door = Arc::clone(&answering);
        async move { Ok::<_, Infallible>(door.answer(request, peer, local).await) }
    });
    #[expect(
        clippy::disallowed_methods,
        reason = "hyper asks this clock for the date"
    )]
    let now = SystemTime::now();
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .auto_date_header(can_be_said(now))
            .header_read_timeout(HEAD_TIME)
            .max_buf_size(HEAD_BYTES)
            .serve_connection(Io::new(stream, Arc::clone(&begun)), service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stopped.changed() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended
        && (error.is_parse() || error.is_timeout())
        && begun.load(Ordering::Relaxed)
    {
        door.refused("http_head", &format!("{peer}: {error}"));
    }
}

/// Whether a head can say this time: hyper panics before 1970 and after 9999.
fn can_be_said(time: SystemTime) -> bool {
    time.duration_since(UNIX_EPOCH)
        .is_ok_and(|since| since < BEYOND_DATES)
}

fn prepare(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let (after, every, times) = KEEP_ALIVE;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, after)?;
    sockopt::set_tcp_keepintvl(stream, every)?;
    sockopt::set_tcp_keepcnt(stream, times)?;
    Ok(())
}

/// Says that there is no room, as far as that goes without waiting.
fn turn_away(stream: &TcpStream) {
    let text = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\ncontent-length: 0\r\n\
                connection: close\r\n\r\n";
    // What does not fit is lost with the connection, which says the same.
    stream.try_write(text.as_bytes()).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_said_from_1970_on() {
        assert!(can_be_said(UNIX_EPOCH));
        assert!(!can_be_said(UNIX_EPOCH - Duration::from_secs(1)));
        assert!(!can_be_said(UNIX_EPOCH + Duration::from_hours(70_389_528)));
    }
}
