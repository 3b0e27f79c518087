//! The other side of a run, in a process of its own: a broker, or the loop that `bare` measures.
//!
//! It serves until its standard input ends, so it outlives its parent in no case, and takes its
//! directory away with it unless it is to be used again.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use orden::broker::{Broker, Config, ConnectionLimits, Storage, Sync};
use orden::core::Limits;
use orden::store;
use simplelog::{ColorChoice, LevelFilter, TermLogger, TerminalMode};

use super::bare_loop::{self, SyncedFile};
use super::error::Error;
use super::keys;

/// What to serve.
#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum Serve {
    /// The loop.
    Bare {
        /// Write each message to a file in here, and sync it, before it is forwarded.
        #[arg(long)]
        synced_in: Option<PathBuf>,
    },
    /// A broker that keeps no log on disk.
    InMemory,
    /// A broker with a log.
    OnDisk {
        /// Where its log lies.
        directory: PathBuf,
        /// When it syncs.
        sync: Sync,
        /// Leave the log at the end; otherwise it is removed.
        #[arg(long)]
        keep: bool,
    },
}

impl Serve {
    /// The words that make a child do this.
    pub(super) fn arguments(&self) -> Vec<std::ffi::OsString> {
        match self {
            Self::Bare { synced_in } => {
                let synced = synced_in.iter();
                let synced = synced.flat_map(|place| ["--synced-in".into(), place.into()]);
                std::iter::once("bare".into()).chain(synced).collect()
            }
            Self::InMemory => vec!["in-memory".into()],
            Self::OnDisk {
                directory,
                sync,
                keep,
            } => {
                let keep = keep.then(|| "--keep".into());
                let words = ["on-disk".into(), directory.into(), sync.to_string().into()];
                words.into_iter().chain(keep).collect()
            }
        }
    }

    /// Serves until standard input ends.
    pub(super) fn run(&self, curve: Option<&Path>) -> Result<(), Error> {
        // ^C goes to a terminal's whole process group; the parent decides.
        let ignored = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(signal_hook::consts::SIGINT, ignored)
            .map_err(|error| Error::Server(error.to_string()))?;
        // Nothing can be said twice.
        TermLogger::init(
            LevelFilter::Error,
            simplelog::Config::default(),
            TerminalMode::Stderr,
            ColorChoice::Never,
        )
        .ok();
        match self {
            Self::Bare { synced_in } => serve_bare(curve, synced_in.as_deref()),
            Self::InMemory => serve_broker(
                Storage::Memory(store::MemoryOptions::default()),
                Sync::Never,
                curve,
            ),
            Self::OnDisk {
                directory,
                sync,
                keep,
            } => {
                let result =
                    serve_broker(Storage::Files(store::Options::new(directory)), *sync, curve);
                if !keep {
                    remove(directory);
                }
                result
            }
        }
    }
}

fn serve_bare(curve: Option<&Path>, synced_in: Option<&Path>) -> Result<(), Error> {
    let file = synced_in.map(SyncedFile::within).transpose()?;
    let secret = curve.map(keys::secret).transpose()?;
    let (router, endpoint) = bare_loop::bind("tcp://127.0.0.1:*", secret.as_ref())?;
    println!("{endpoint}");
    std::thread::spawn(|| {
        wait_for_the_end();
        std::process::exit(0);
    });
    bare_loop::forward(router, file)
}

fn serve_broker(storage: Storage, sync: Sync, curve: Option<&Path>) -> Result<(), Error> {
    let limits = Limits {
        // All peers of a run have one key.
        names_per_key: usize::MAX,
        ..Limits::default()
    };
    let failed = |error: orden::broker::Error| Error::Server(error.to_string());
    let broker = Broker::start(&Config {
        endpoint: "tcp://127.0.0.1:*".to_owned(),
        tcp_endpoint: None,
        storage,
        sync,
        limits,
        connections: ConnectionLimits::default(),
        security: curve.map(keys::security).transpose()?,
    })
    .map_err(failed)?;
    println!("{}", broker.endpoints()[0]);
    let stopper = broker.stopper();
    std::thread::spawn(move || {
        wait_for_the_end();
        stopper.stop();
    });
    broker.wait().map_err(failed)
}

fn wait_for_the_end() {
    let mut input = std::io::stdin();
    // An error is an end, too.
    while matches!(input.read(&mut [0; 64]), Ok(1..)) {}
}

fn remove(directory: &Path) {
    // The parent tries as well, and is most often too late.
    std::fs::remove_dir_all(directory).ok();
}
