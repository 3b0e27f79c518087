//! The control socket: a Unix socket beside the log, a JSON object a line each way.
//!
//! Who may open it may administer: its mode is 0600 from the moment it is there. A connection has a
//! thread of its own, few at a time, and deadlines for everything: what a peer on it does slowly or
//! wrongly costs that peer its connection, and nothing else.

use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::never;
use rustix::fs::{FileType, Mode, fchmod};
use rustix::net::{
    AddressFamily, Shutdown, SocketFlags, SocketType, bind, listen, shutdown, socket_with,
};

use super::View;
use super::answering::{Reload, answer, refuse};
use super::control_limits::LINE_BYTES;
use super::path::Named;
use super::request::BadRequest;
use crate::net::Clock;

/// The most connections at a time.
pub const CONNECTIONS: usize = 16;
/// How long a request may take to arrive, and an answer to be taken.
const TIME: Duration = Duration::from_secs(5);
/// How long to leave the socket alone when it accepts nothing: no descriptor is left, most likely.
const PAUSE: Duration = Duration::from_millis(100);
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 16;

/// The socket, served by a thread of its own; it is removed when this is dropped.
#[derive(Debug)]
pub struct Control {
    path: PathBuf,
    /// Which file it is: the path may be another broker's by the time that this ends.
    own: Option<FileId>,
    listener: Arc<UnixListener>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Device and inode.
type FileId = (u64, u64);

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the control socket {}: {why}", path.display())]
pub struct Error {
    path: PathBuf,
    why: io::Error,
}

impl Control {
    /// Makes the socket and serves it. One that a killed broker has left is replaced; the caller
    /// must know that no other broker is alive there, or names a path where one answers.
    ///
    /// # Errors
    /// When another broker answers there, or the socket cannot be made.
    pub fn serve(path: &Path, view: Arc<View>, reload: Reload) -> Result<Self, Error> {
        let failed = |why| Error {
            path: path.to_owned(),
            why,
        };
        let listener = Arc::new(listen_at(path).map_err(failed)?);
        let stopping = Arc::new(AtomicBool::new(false));
        let (listening, stopped) = (Arc::clone(&listener), Arc::clone(&stopping));
        let thread = Builder::new().name("control".into()).spawn(move || {
            accept(&listening, &stopped, &view, &reload);
        });
        Ok(Self {
            path: path.to_owned(),
            own: file_at(path),
            listener,
            stopping,
            thread: Some(thread.map_err(failed)?),
        })
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes the thread, also when another broker has the path by now. Where that cannot be done
        // the thread ends with the process.
        let woken = shutdown(&self.listener, Shutdown::Both);
        if let (Ok(()), Some(thread)) = (woken, self.thread.take()) {
            // A panic was reported by the thread itself.
            thread.join().ok();
        }
        if self.own.is_some() && file_at(&self.path) == self.own {
            std::fs::remove_file(&self.path).ok();
        }
    }
}

/// Which file lies there, if any does.
fn file_at(path: &Path) -> Option<FileId> {
    let there = std::fs::symlink_metadata(path).ok()?;
    Some((there.dev(), there.ino()))
}

/// Makes the socket, so that at no moment others than its owner can open it.
fn listen_at(path: &Path) -> io::Result<UnixListener> {
    let named = Named::new(path)?;
    remove_left_over(&named)?;
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // Linux gives the file the socket's own mode (unix(7) says nothing of it; af_unix.c does).
    fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    bind(&socket, &named.address()?)?;
    listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
}

/// Removes a socket that nobody listens on any more; anything else is left alone.
fn remove_left_over(named: &Named) -> io::Result<()> {
    let there = match rustix::fs::lstat(named.path()) {
        Ok(there) => there,
        Err(rustix::io::Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if FileType::from_raw_mode(there.st_mode) != FileType::Socket {
        let text = "something that is no socket lies there";
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, text));
    }
    match UnixStream::connect(named.path()) {
        Ok(_) => {
            let text = "another broker answers there";
            Err(io::Error::new(io::ErrorKind::AddrInUse, text))
        }
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(named.path())
        }
        Err(error) => Err(error),
    }
}

fn accept(listener: &UnixListener, stopped: &AtomicBool, view: &Arc<View>, reload: &Reload) {
    let open = Arc::new(AtomicUsize::new(0));
    loop {
        let accepted = listener.accept();
        if stopped.load(Ordering::SeqCst) {
            return;
        }
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                log::warn!("control: {error}");
                // Nothing comes of it: a pause, and no more.
                never::<()>().recv_timeout(PAUSE).ok();
                continue;
            }
        };
        if open.load(Ordering::SeqCst) >= CONNECTIONS {
            turn_away(stream);
            continue;
        }
        open.fetch_add(1, Ordering::SeqCst);
        let place = Place(Arc::clone(&open));
        let (view, reload) = (Arc::clone(view), Arc::clone(reload));
        let spawned = Builder::new().name("control-peer".into()).spawn(move || {
            if let Err(error) = converse(stream, &view, &reload) {
                log::debug!("control: {error}");
            }
            drop(place);
        });
        if let Err(error) = spawned {
            log::warn!("control: {error}");
        }
    }
}

/// A connection among those that may be open.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Says that there is no room, as far as that goes without waiting.
fn turn_away(mut stream: UnixStream) {
    let line = refuse("too_many_connections", &"as many are connected as may be");
    // What does not fit is lost with the connection, which says the same.
    stream
        .set_nonblocking(true)
        .and_then(|()| stream.write_all(line.as_bytes()))
        .ok();
}

/// Answers the requests of one connection, in turn.
fn converse(mut stream: UnixStream, view: &View, reload: &Reload) -> io::Result<()> {
    let mut held = Vec::new();
    loop {
        let line = match read_line(&mut stream, &mut held)? {
            Line::Request(line) => line,
            Line::TooLong => {
                let complaint = BadRequest::TooLong;
                return say(&mut stream, &refuse(complaint.name(), &complaint));
            }
            Line::End => return Ok(()),
        };
        say(&mut stream, &answer(&line, view, reload))?;
    }
}

enum Line {
    Request(Vec<u8>),
    TooLong,
    /// The peer has said all it wanted, or was too slow.
    End,
}

/// Reads up to the end of a line; what comes behind it stays in `held`.
fn read_line(stream: &mut UnixStream, held: &mut Vec<u8>) -> io::Result<Line> {
    let clock = Clock::start();
    let end = clock.now() + TIME;
    let mut searched = 0;
    loop {
        if let Some(at) = held[searched..].iter().position(|&byte| byte == b'\n') {
            let rest = held.split_off(searched + at + 1);
            let mut line = std::mem::replace(held, rest);
            line.pop();
            return Ok(Line::Request(line));
        }
        searched = held.len();
        if held.len() >= LINE_BYTES {
            return Ok(Line::TooLong);
        }
        let left = clock.until(end);
        if left.is_zero() {
            return Ok(Line::End);
        }
        stream.set_read_timeout(Some(left))?;
        let mut bytes = [0; 1024];
        match stream.read(&mut bytes) {
            Ok(0) => return Ok(Line::End),
            Ok(count) => held.extend_from_slice(&bytes[..count]),
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Says a line, as long as the peer takes it in time.
fn say(stream: &mut UnixStream, line: &str) -> io::Result<()> {
    let clock = Clock::start();
    let end = clock.now() + TIME;
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        let left = clock.until(end);
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_write_timeout(Some(left))?;
        match stream.write(rest) {
            Ok(count) => rest = &rest[count..],
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Whether a call is to be made again, if there is time left.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}
