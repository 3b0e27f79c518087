//! The child process that is measured: started for a run, watched, stopped, and its directory
//! removed, however the run ends.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, TryRecvError, bounded};
use orden::broker::Sync;
use orden::client::Keys;
use orden::net::{Address, BadAddress};
use rustix::fs::statfs;
use tempfile::TempDir;

use super::error::Error;
use super::keys;
use super::serve::Serve;

const START_PATIENCE: Duration = Duration::from_secs(30);
const STOP_PATIENCE: Duration = Duration::from_secs(30);

/// A child that serves.
pub(super) struct Server {
    pub(super) address: Address,
    /// What its peers need to connect.
    pub(super) keys: Option<Keys>,
    process: Process,
    // After `process`: what is in use is not removed.
    _directories: [Option<TempDir>; 2],
}

/// A child, stopped when it is dropped.
struct Process {
    child: Child,
    /// What it prints; closed when it has ended.
    lines: Receiver<String>,
}

/// What a child has used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    /// Nanoseconds of processor time of all its threads.
    pub(super) processor: u64,
    /// Bytes of memory that it had after a tenth of the run.
    pub(super) early_memory: u64,
    /// Bytes of memory that it has.
    pub(super) memory: u64,
    /// The most bytes of memory that it ever had.
    pub(super) peak_memory: u64,
    /// Writes of its log, and wake-ups between its threads and libzmq's.
    pub(super) writes: u64,
}

/// What the child keeps, and where.
#[derive(Clone, Debug)]
pub(super) enum Storage {
    /// Nothing, and it is no broker.
    Bare,
    /// The same, but each message is written to a file within this directory, and synced, before
    /// it is forwarded.
    BareSynced {
        within: PathBuf,
    },
    Memory,
    /// A log in a directory of its own within this one.
    Disk {
        within: PathBuf,
        sync: Sync,
    },
}

impl Server {
    /// Starts a child and waits until it serves.
    pub(super) fn start(storage: &Storage, curve: bool) -> Result<Self, Error> {
        let (serve, directory) = match storage {
            Storage::Bare => (Serve::Bare { synced_in: None }, None),
            Storage::BareSynced { within } => {
                let synced_in = Some(within.clone());
                (Serve::Bare { synced_in }, None)
            }
            Storage::Memory => (Serve::InMemory, None),
            Storage::Disk { within, sync } => {
                let directory = directory(within)?;
                let serve = Serve::OnDisk {
                    directory: directory.path().to_owned(),
                    sync: *sync,
                    keep: false,
                };
                (serve, Some(directory))
            }
        };
        Self::serving(&serve, directory, curve)
    }

    /// The same for a broker whose log lies in this directory and stays there.
    pub(super) fn start_in(directory: &Path, sync: Sync) -> Result<Self, Error> {
        let serve = Serve::OnDisk {
            directory: directory.to_owned(),
            sync,
            keep: true,
        };
        Self::serving(&serve, None, false)
    }

    /// Ends it as a crash would.
    pub(super) fn kill(mut self) -> Result<(), Error> {
        let killed = self.process.child.kill();
        killed.map_err(|why| Error::System {
            what: "kill the broker".to_owned(),
            why,
        })
    }

    fn serving(serve: &Serve, directory: Option<TempDir>, curve: bool) -> Result<Self, Error> {
        let (made, keys) = curve.then(keys::make).transpose()?.unzip();
        let process = Process::start(serve, made.as_ref().map(TempDir::path))?;
        let address = match process.lines.recv_timeout(START_PATIENCE) {
            Ok(endpoint) => endpoint.parse(),
            Err(RecvTimeoutError::Timeout) => {
                return Err(Error::Server("it takes too long".to_owned()));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::Server("it has ended, see above".to_owned()));
            }
        };
        Ok(Self {
            address: address.map_err(|error: BadAddress| Error::Server(error.to_string()))?,
            keys,
            process,
            _directories: [directory, made],
        })
    }

    /// Whether it has ended, unasked.
    pub(super) fn has_ended(&self) -> bool {
        self.process.has_ended()
    }

    /// What it has used so far; zeros where the system does not say.
    pub(super) fn usage(&self) -> Usage {
        let process = PathBuf::from(format!("/proc/{}", self.process.child.id()));
        let status = process.join("status");
        Usage {
            processor: processor(&process.join("task")).unwrap_or_default(),
            early_memory: 0,
            memory: memory(&status, "VmRSS:").unwrap_or_default(),
            peak_memory: memory(&status, "VmHWM:").unwrap_or_default(),
            writes: writes(&process.join("io")).unwrap_or_default(),
        }
    }
}

impl Process {
    fn start(serve: &Serve, keys: Option<&Path>) -> Result<Self, Error> {
        let myself = std::env::current_exe();
        let program = myself.map_err(Error::system("find", Path::new("myself")))?;
        let mut child = Command::new(&program)
            .arg("serve")
            .args(keys.map(|_| "--curve"))
            .args(keys)
            .args(serve.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Error::system("start", &program))?;
        let (lines_in, lines) = bounded(16);
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if lines_in.send(line).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self { child, lines })
    }

    fn has_ended(&self) -> bool {
        self.lines.try_recv() == Err(TryRecvError::Disconnected)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        while self.lines.recv_timeout(STOP_PATIENCE).is_ok() {}
        if !self.has_ended() {
            self.child.kill().ok();
        }
        // Nothing can be done about a child that cannot be waited for.
        self.child.wait().ok();
    }
}

pub(super) fn directory(within: &Path) -> Result<TempDir, Error> {
    tempfile::Builder::new()
        .prefix("orden-bench-")
        .tempdir_in(within)
        .map_err(Error::system("make a directory in", within))
}

/// Nanoseconds that all threads were on a processor.
fn processor(tasks: &Path) -> Option<u64> {
    let mut sum = 0;
    for task in std::fs::read_dir(tasks).ok()? {
        let statistics = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        sum += statistics.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(sum)
}

fn memory(status: &Path, field: &str) -> Option<u64> {
    let status = std::fs::read_to_string(status).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes << 10)
}

/// System calls that write; sockets have their own, which are not counted there.
fn writes(counters: &Path) -> Option<u64> {
    let counters = std::fs::read_to_string(counters).ok()?;
    let mut lines = counters.lines();
    lines
        .find_map(|line| line.strip_prefix("syscw: "))?
        .parse()
        .ok()
}

/// Where the log's directory is made: on a disk, since a sync of memory measures nothing.
pub(super) fn disk(asked: Option<&Path>) -> Result<PathBuf, Error> {
    if let Some(asked) = asked {
        std::fs::create_dir_all(asked).map_err(Error::system("create", asked))?;
        if is_memory(asked) {
            eprintln!(
                "orden-bench: {} is in memory: its syncs cost nothing",
                asked.display()
            );
        }
        return Ok(asked.to_owned());
    }
    let usual = std::env::temp_dir();
    let candidates = [usual.clone(), "/var/tmp".into(), ".".into()];
    let on_disk = candidates.into_iter().find(|place| !is_memory(place));
    Ok(on_disk.unwrap_or(usual))
}

/// Whether a directory is not on any medium; a place that cannot be asked is none to write to.
fn is_memory(directory: &Path) -> bool {
    const TMPFS: u64 = 0x0102_1994;
    const RAMFS: u64 = 0x8584_58F6;
    statfs(directory).map_or(true, |found| {
        matches!(u64::try_from(found.f_type), Ok(TMPFS | RAMFS))
    })
}
