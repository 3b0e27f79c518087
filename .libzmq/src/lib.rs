//! Stands in for `zeromq-src` 0.2, so that `zmq-sys` builds the libzmq that orden wants.
//!
//! `zmq-sys` 0.12 asks `zeromq-src` 0.2 for libzmq 4.3.4 without libsodium, and that crate tells
//! libzmq hardly anything about the system. What comes out has no CURVE, ignores
//! `ZMQ_TCP_KEEPALIVE` (setting it succeeds and does nothing), runs its timers by the wall clock
//! and wakes its threads through socket pairs. Cargo's `[patch]` puts this crate in its place,
//! which needs the same name, a version that `^0.2.1` takes, and the three calls that `zmq-sys`
//! makes. The work is still done by `zeromq-src`, by its 0.3.6: libzmq 4.3.5, linked statically,
//! with the libsodium that `libsodium-sys-stable` carries as source. No system package is used.

use std::env;

pub use upstream::LibLocation;

/// What libzmq's own `configure` finds out on Linux, by what it is good for.
const LINUX: &[&str] = &[
    // Timers that no step of the wall clock can stop or fire.
    "HAVE_CLOCK_GETTIME",
    // Waking a thread costs one descriptor and eight bytes.
    "ZMQ_HAVE_EVENTFD",
    "ZMQ_HAVE_EVENTFD_CLOEXEC",
    // A peer that vanished without a word is found out.
    "ZMQ_HAVE_SO_KEEPALIVE",
    "ZMQ_HAVE_TCP_KEEPALIVE",
    "ZMQ_HAVE_TCP_KEEPCNT",
    "ZMQ_HAVE_TCP_KEEPIDLE",
    "ZMQ_HAVE_TCP_KEEPINTVL",
    // Child processes inherit no descriptor.
    "HAVE_ACCEPT4",
    "ZMQ_HAVE_SOCK_CLOEXEC",
    "ZMQ_IOTHREAD_POLLER_USE_EPOLL_CLOEXEC",
    // Endpoints may name interfaces, and IPv6 addresses their scope.
    "HAVE_IF_NAMETOINDEX",
    "ZMQ_HAVE_IFADDRS",
    // `ipc://*` gets a directory of its own.
    "HAVE_MKDTEMP",
    // The I/O threads have names in `top` and in stack traces.
    "ZMQ_HAVE_PTHREAD_SETNAME_2",
    // Commands between threads do not share a cache line.
    "HAVE_POSIX_MEMALIGN",
    "ZMQ_CACHELINE_SIZE=64",
];

/// The calls that `zmq-sys` makes.
#[derive(Debug, Default)]
pub struct Build;

impl Build {
    /// A build of libzmq.
    pub fn new() -> Self {
        Self
    }

    /// Takes no notice: `zmq-sys` says `None`, and orden wants CURVE.
    pub fn with_libsodium(&mut self, _: Option<LibLocation>) -> &mut Self {
        self
    }

    /// Compiles libzmq and tells Cargo what to link.
    pub fn build(&mut self) {
        if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|system| system == "linux") {
            // The compiler's flags are the one thing that upstream lets its caller say.
            let flags = LINUX.iter().map(|define| format!(" -D{define}"));
            let given = env::var("CXXFLAGS").unwrap_or_default();
            env::set_var("CXXFLAGS", flags.fold(given, |all, flag| all + &flag));
        }
        let sodium = LibLocation::new(env!("DEP_SODIUM_LIB"), env!("DEP_SODIUM_INCLUDE"));
        // Of what libzmq calls a draft one option is wanted: how much is written at once.
        upstream::Build::new()
            .enable_draft(true)
            .with_libsodium(Some(sodium))
            .build();
    }
}
