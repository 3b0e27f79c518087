//! A TCP proxy that does to connections what networks and hosts do: resets, half-closes, holes,
//! delays, thin pipes, cuts in the middle of a frame. Controlled while it runs; two threads a
//! connection. It must never change a byte that it passes on.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

use crate::clock::pause;

/// How often a thread looks whether its connection is still wanted.
const LOOK: Duration = Duration::from_millis(100);
const CHUNK: usize = 64 << 10;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the broker.
    Up,
    /// From the broker to the client.
    Down,
}

/// What happens to bytes on their way. The default is nothing.
#[derive(Clone, Debug, Default)]
pub struct Weather {
    /// Nothing goes up; it waits, as what TCP sends again and again.
    pub up_held: bool,
    /// Nothing goes down.
    pub down_held: bool,
    /// Everything arrives so much later.
    pub delay: Duration,
    /// No more passes than this, each way, on each connection.
    pub bytes_per_second: Option<u64>,
}

/// New connections end after so many bytes one way.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    pub way: Way,
    pub bytes: usize,
}

/// A proxy in front of one place.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    target: SocketAddr,
    weather: Weather,
    cut: Option<Cut>,
    links: Vec<Weak<Link>>,
    accepted: u64,
    closing: bool,
}

/// One connection through the proxy: closed when both threads have let go of it.
struct Link {
    client: TcpStream,
    broker: TcpStream,
    cut: Option<Cut>,
    fate: AtomicU8,
}

const ALIVE: u8 = 0;
/// Nothing passes any more, and neither side is told.
const FROZEN: u8 = 1;
const GONE: u8 = 2;

impl Proxy {
    /// A proxy on a port of its own, in front of `target`.
    pub fn start(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                target,
                weather: Weather::default(),
                cut: None,
                links: Vec::new(),
                accepted: 0,
                closing: false,
            }),
            changed: Condvar::new(),
        });
        let seen = Arc::clone(&shared);
        let acceptor = std::thread::spawn(move || accept(&listener, &seen));
        Ok(Self {
            address,
            shared,
            acceptor: Some(acceptor),
        })
    }

    /// Where to connect instead of the target.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// New connections go here.
    pub fn aim(&self, target: SocketAddr) {
        self.shared.lock().target = target;
    }

    /// From now on, for all connections.
    pub fn set_weather(&self, weather: Weather) {
        self.shared.lock().weather = weather;
        self.shared.changed.notify_all();
    }

    /// For connections that are made from now on.
    pub fn set_cut(&self, cut: Option<Cut>) {
        self.shared.lock().cut = cut;
    }

    /// How many connections have been made.
    pub fn accepted(&self) -> u64 {
        self.shared.lock().accepted
    }

    /// Ends every connection with a RST to both sides; says how many there were.
    pub fn reset(&self) -> usize {
        self.each(|link| {
            for side in [&link.client, &link.broker] {
                // One that is gone already needs no reset.
                set_socket_linger(side, Some(Duration::ZERO)).ok();
            }
            link.fate.store(GONE, Ordering::SeqCst);
        })
    }

    /// Ends every connection in good order, wherever in a frame it is.
    pub fn close(&self) -> usize {
        self.each(|link| {
            link.fate.store(GONE, Ordering::SeqCst);
            for side in [&link.client, &link.broker] {
                // One that is gone already needs no end.
                side.shutdown(Shutdown::Both).ok();
            }
        })
    }

    /// Ends one way of every connection; the other stays open.
    pub fn half_close(&self, way: Way) -> usize {
        self.each(|link| {
            link.ends(way).1.shutdown(Shutdown::Write).ok();
        })
    }

    /// Lets every connection stand open for good, with nothing passing: a host that has gone
    /// without a word. New connections are not concerned.
    pub fn freeze(&self) -> usize {
        self.each(|link| link.fate.store(FROZEN, Ordering::SeqCst))
    }

    fn each(&self, act: impl Fn(&Link)) -> usize {
        let mut state = self.shared.lock();
        state.links.retain(|link| link.strong_count() > 0);
        let links: Vec<_> = state.links.iter().filter_map(Weak::upgrade).collect();
        let alive = |link: &&Arc<Link>| link.fate.load(Ordering::SeqCst) == ALIVE;
        let count = links.iter().filter(alive).map(|link| act(link)).count();
        drop(state);
        self.shared.changed.notify_all();
        count
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_all();
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.join().ok();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("nobody fails while holding it")
    }

    /// Waits until bytes may pass; says no once the connection is over.
    fn await_way(&self, link: &Link, way: Way) -> bool {
        let mut state = self.lock();
        loop {
            let held = match way {
                Way::Up => state.weather.up_held,
                Way::Down => state.weather.down_held,
            };
            match link.fate.load(Ordering::SeqCst) {
                GONE => return false,
                _ if state.closing => return false,
                ALIVE if !held => return true,
                _ => {}
            }
            let waited = self.changed.wait_timeout(state, LOOK);
            state = waited.expect("nobody fails while holding it").0;
        }
    }
}

impl Link {
    /// Where bytes of this way come from, and where they go.
    fn ends(&self, way: Way) -> (&TcpStream, &TcpStream) {
        match way {
            Way::Up => (&self.client, &self.broker),
            Way::Down => (&self.broker, &self.client),
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    listener.set_nonblocking(true).expect("a socket of ours");
    loop {
        match listener.accept() {
            Ok((client, _)) => {
                // A broker that is not there: the client is sent away.
                connect(client, shared).ok();
            }
            Err(_) => pause(Duration::from_millis(5)),
        }
        if shared.lock().closing {
            return;
        }
    }
}

fn connect(client: TcpStream, shared: &Arc<Shared>) -> io::Result<()> {
    let (target, cut) = {
        let state = shared.lock();
        (state.target, state.cut)
    };
    let broker = TcpStream::connect_timeout(&target, Duration::from_secs(1))?;
    client.set_nonblocking(false)?;
    for side in [&client, &broker] {
        side.set_nodelay(true)?;
        side.set_read_timeout(Some(LOOK))?;
        side.set_write_timeout(Some(LOOK))?;
    }
    let fate = AtomicU8::new(ALIVE);
    let link = Arc::new(Link {
        client,
        broker,
        cut,
        fate,
    });
    let mut state = shared.lock();
    state.accepted += 1;
    state.links.retain(|link| link.strong_count() > 0);
    state.links.push(Arc::downgrade(&link));
    drop(state);
    for way in [Way::Up, Way::Down] {
        let (link, shared) = (Arc::clone(&link), Arc::clone(shared));
        std::thread::spawn(move || {
            if pump(&link, &shared, way).is_err() {
                link.fate.store(GONE, Ordering::SeqCst);
            }
        });
    }
    Ok(())
}

/// Carries bytes one way until they end (then their end is passed on, too) or the connection is
/// over. An error ends both ways.
fn pump(link: &Link, shared: &Shared, way: Way) -> io::Result<()> {
    let (mut from, to) = link.ends(way);
    let mut left = link.cut.filter(|cut| cut.way == way).map(|cut| cut.bytes);
    let mut buffer = vec![0; CHUNK];
    while shared.await_way(link, way) {
        let most = left.unwrap_or(CHUNK).min(CHUNK);
        if most == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let read = match from.read(&mut buffer[..most]) {
            Ok(0) => return to.shutdown(Shutdown::Write),
            Ok(read) => read,
            Err(error) if is_timeout(&error) => continue,
            Err(error) => return Err(error),
        };
        let weather = shared.lock().weather.clone();
        pause(weather.delay);
        if !shared.await_way(link, way) {
            break;
        }
        pass(link, shared, to, &buffer[..read], weather.bytes_per_second)?;
        left = left.map(|left| left - read);
    }
    Ok(())
}

fn pass(
    link: &Link,
    shared: &Shared,
    mut to: &TcpStream,
    mut bytes: &[u8],
    per_second: Option<u64>,
) -> io::Result<()> {
    while !bytes.is_empty() {
        // Twenty pieces a second.
        let piece = per_second.map_or(bytes.len(), |most| {
            usize::try_from(most / 20).unwrap_or(CHUNK).max(1)
        });
        match to.write(&bytes[..piece.min(bytes.len())]) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if is_timeout(&error) => {}
            Err(error) => return Err(error),
        }
        if link.fate.load(Ordering::SeqCst) == GONE || shared.lock().closing {
            return Ok(());
        }
        if per_second.is_some() && !bytes.is_empty() {
            pause(Duration::from_millis(50));
        }
    }
    Ok(())
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
