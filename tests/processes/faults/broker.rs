//! The real `orden-broker` as a process of its own, to start, stop, kill and look at. It goes when
//! the test goes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit};

use orden_kit::clock::until;

/// Nothing that a broker does takes this long unless it hangs.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A broker that runs.
pub(crate) struct Broker {
    child: Child,
    pub(crate) address: SocketAddr,
}

/// What a broker uses at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) resident_kib: u64,
    pub(crate) descriptors: usize,
    pub(crate) threads: u64,
}

impl Broker {
    /// Starts a broker on its log in `directory`, on any free port, and waits until it serves.
    /// What it has to say goes to `directory`.log.
    pub(crate) fn start(directory: &Path, flags: &[String]) -> Self {
        Self::start_in(directory, flags, &[])
    }

    /// As `start`, with these environment variables, too.
    pub(crate) fn start_in(
        directory: &Path,
        flags: &[String],
        environment: &[(String, String)],
    ) -> Self {
        let log = directory.with_extension("log");
        let log = File::options().create(true).append(true).open(log);
        let mut child = Command::new(env!("CARGO_BIN_EXE_orden-broker"))
            .args(["--address", "127.0.0.1:0", "--data"])
            .arg(directory)
            .args(flags)
            .envs(environment.iter().cloned())
            .stdout(Stdio::piped())
            .stderr(log.expect("a file for what the broker says"))
            .spawn()
            .expect("the broker starts");
        let stdout = child.stdout.take().expect("it is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("text");
        let address = line.trim().strip_prefix("listening on tcp://");
        let Some(address) = address.and_then(|address| address.parse().ok()) else {
            let status = child.wait();
            let directory = directory.display();
            panic!("{status:?}, {line:?} instead of an address: see {directory}.log");
        };
        Self { child, address }
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("a child of ours");
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) fn kill(mut self) {
        self.signal(Signal::KILL);
        self.child.wait().expect("a child of ours");
    }

    /// Lets it end in good order, which must succeed.
    pub(crate) fn stop(mut self) {
        self.signal(Signal::TERM);
        let ended = until(DEADLINE, || self.has_ended());
        assert!(ended, "the broker does not stop");
        let status = self.child.wait().expect("a child of ours");
        assert_eq!(status.code(), Some(0), "the broker stopped in bad order");
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child of ours").is_some()
    }

    /// From now on it may have so many descriptors.
    pub(crate) fn limit_descriptors(&self, most: u64) {
        let limit = Rlimit {
            current: Some(most),
            maximum: getrlimit(Resource::Nofile).maximum,
        };
        prlimit(Some(self.pid()), Resource::Nofile, limit).expect("a child of ours");
    }

    pub(crate) fn usage(&self) -> Usage {
        let process = PathBuf::from(format!("/proc/{}", self.child.id()));
        let status = fs::read_to_string(process.join("status")).expect("it runs");
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|rest| rest.split_whitespace().next());
            number.and_then(|number| number.parse().ok()).unwrap_or(0)
        };
        let descriptors = fs::read_dir(process.join("fd")).map_or(0, Iterator::count);
        Usage {
            resident_kib: field("VmRSS:"),
            descriptors,
            threads: field("Threads:"),
        }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Both fail when it has ended, which is all that is wanted.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
