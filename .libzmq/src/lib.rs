//! Stands in for `zeromq-src` 0.2, so that `zmq-sys` builds the libzmq that orden wants.
//!
//! `zmq-sys` 0.12 asks `zeromq-src` 0.2 for libzmq 4.3.4 without libsodium, and that crate tells
//! libzmq hardly anything about the system. What comes out has no CURVE, ignores
//! `ZMQ_TCP_KEEPALIVE` (setting it succeeds and does nothing), runs its timers by the wall clock
//! and wakes its threads through socket pairs. Cargo's `[patch]` puts this crate in its place,
//! which needs the same name, a version that `^0.2.1` takes, and the three calls that `zmq-sys`
//! makes.
//!
//! What is compiled is the source that `zeromq-src` 0.3.6 carries, libzmq 4.3.5, with the patches
//! in `patches/`, linked statically with the libsodium that `libsodium-sys-stable` carries as
//! source. No system package is used. To drop a patch, delete its file; to take another libzmq,
//! change the version here and in `build.rs`: a patch that no longer fits fails the build.

use std::path::{Path, PathBuf};
use std::{env, fs};

pub use upstream::LibLocation;

/// How libzmq is built at all: what its own `configure` would say on Linux.
const NEEDED: &[&str] = &[
    "ZMQ_STATIC",
    "ZMQ_HAVE_LINUX",
    "ZMQ_HAVE_IPC",
    "ZMQ_HAVE_STRUCT_SOCKADDR_UN",
    "ZMQ_HAVE_UIO",
    "ZMQ_IOTHREAD_POLLER_USE_EPOLL",
    "ZMQ_POLL_BASED_ON_POLL",
    "ZMQ_USE_CV_IMPL_STL11",
    "HAVE_STRNLEN",
    // Of what libzmq calls a draft one option is wanted: how much is written at once.
    "ZMQ_BUILD_DRAFT_API",
    "ZMQ_HAVE_CURVE",
    "ZMQ_USE_LIBSODIUM",
];

/// What the system offers beyond that, by what it is good for.
const OFFERED: &[&str] = &[
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
    ///
    /// # Panics
    /// When it cannot be compiled, which ends the build with the reason.
    pub fn build(&mut self) {
        let source = Path::new(env!("LIBZMQ_SOURCE"));
        let out = PathBuf::from(env::var("OUT_DIR").expect("Cargo runs this"));
        // `configure` would write the definitions here; the compiler is given them instead.
        fs::write(out.join("platform.hpp"), "").expect("Cargo's own directory can be written");
        let mut build = cc::Build::new();
        build.cpp(true).std("c++11").warnings(false);
        for define in NEEDED.iter().chain(OFFERED) {
            let (name, value) = define.split_once('=').unwrap_or((define, "1"));
            build.define(name, value);
        }
        build
            .includes([source.join("include"), source.join("src"), out])
            .include(env!("DEP_SODIUM_INCLUDE"))
            .files(sources(&source.join("src")))
            .compile("zmq");
        println!("cargo:rustc-link-search=native={}", env!("DEP_SODIUM_LIB"));
        println!("cargo:rustc-link-lib=static=sodium");
    }
}

/// What there is to compile: everything but WebSocket, which orden does not offer.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("the build script has put it there");
    let paths = entries.map(|entry| entry.expect("it is readable").path());
    let mut sources: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "cpp"))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            !name.starts_with("ws")
        })
        .collect();
    // The same order gives the same library.
    sources.sort();
    sources
}
