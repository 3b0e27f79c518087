//! `orden-broker` as a process: on a free port, with a directory of its own.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;

use super::status::Status;
use super::{End, Program};
use crate::clock::pause;
use crate::poll;

/// A broker that serves.
pub struct Broker {
    program: Program,
    flags: Vec<OsString>,
    environment: Environment,
    data: Arc<TempDir>,
    endpoints: Vec<String>,
}

/// A broker that was, to be started again where it was: same port, same directory.
pub struct Stopped {
    flags: Vec<OsString>,
    environment: Environment,
    data: Arc<TempDir>,
}

/// What it finds in its environment besides.
type Environment = Vec<(&'static str, PathBuf)>;

/// The command, without any flag, and with nothing in its environment that would be one.
pub fn command() -> Command {
    super::command("orden-broker")
}

/// Runs the command to its end, which must come by itself.
pub fn run(command: &mut Command) -> End {
    Program::start("orden-broker", command).end()
}

/// These flags, and any free port if they say nothing else.
fn with_address(flags: &[&str]) -> Vec<OsString> {
    let default: &[&str] = if flags.contains(&"--address") {
        &[]
    } else {
        &["--address", "127.0.0.1:0"]
    };
    default.iter().chain(flags).map(OsString::from).collect()
}

fn host_and_port(endpoint: &str) -> &str {
    endpoint.strip_prefix("tcp://").expect("it is TCP")
}

impl Broker {
    /// One that keeps its log in a directory that goes with it, unless it is given another one.
    pub fn start(flags: &[&str]) -> Self {
        Self::start_with(flags, Environment::new())
    }

    /// The same, with this in its environment each time it is started.
    pub fn start_with(flags: &[&str], environment: Environment) -> Self {
        let data = TempDir::with_prefix("orden-").expect("a directory for temporary files");
        let mut all = with_address(flags);
        if !flags.contains(&"--data") {
            all.extend(["--data".into(), data.path().into()]);
        }
        let stopped = Stopped {
            flags: all,
            environment,
            data: Arc::new(data),
        };
        stopped.start()
    }

    /// One that keeps no log, for what has nothing to do with it.
    pub fn in_memory(flags: &[&str]) -> Self {
        let mut all = with_address(flags);
        all.push("--in-memory".into());
        let stopped = Stopped {
            flags: all,
            environment: Environment::new(),
            data: Arc::new(TempDir::new().expect("a directory for temporary files")),
        };
        stopped.start()
    }

    /// Where DEALERs connect, as a ZeroMQ endpoint.
    pub fn endpoint(&self) -> &str {
        &self.endpoints[0]
    }

    /// The same as `HOST:PORT`, for whoever connects without ZeroMQ.
    pub fn address(&self) -> &str {
        host_and_port(self.endpoint())
    }

    /// Where plain TCP peers connect, as `HOST:PORT`.
    pub fn tcp_address(&self) -> &str {
        let endpoint = self.endpoints.get(1).expect("--tcp-address was given");
        host_and_port(endpoint)
    }

    /// The log's directory.
    pub fn data(&self) -> &Path {
        let given = self.flags.iter().position(|flag| flag == "--data");
        given.map_or(self.data.path(), |at| Path::new(&self.flags[at + 1]))
    }

    /// The program, for its lines and its signals.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Asks for its status, and waits until it has written it down.
    pub fn status(&self) -> Status {
        let before = self.program.complained();
        self.program.signal(Signal::USR1);
        Status::parse(&self.program.complaint(before, Status::LAST))
    }

    /// Asks for its status until it is as expected: what a peer has sent takes its time.
    #[track_caller]
    pub fn await_status(&self, what: &str, is: impl Fn(&Status) -> bool) -> Status {
        let ask = || {
            let status = Some(self.status()).filter(&is);
            if status.is_none() {
                // Each answer is many lines, which a broker that is asked without pause writes.
                pause(Duration::from_millis(2));
            }
            status
        };
        poll(ask, what)
    }

    /// Waits until so much, or more, was refused for this reason.
    #[track_caller]
    pub fn await_refused(&self, reason: &str, at_least: u64) {
        let what = format!("{reason}, counted {at_least} times,");
        self.await_status(&what, |status| status.refused(reason) >= at_least);
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        self.program.is_alive()
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> usize {
        let pid = self.program.pid().as_raw_nonzero();
        let open = fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs");
        open.count()
    }

    /// The memory that it has, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let pid = self.program.pid().as_raw_nonzero();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kib.and_then(|kib| kib.parse::<u64>().ok()).expect("a size") << 10
    }

    /// Ends it without a warning.
    pub fn kill(mut self) -> Stopped {
        self.program.kill();
        self.into_stopped()
    }

    /// Asks it to stop, waits until it has, and says how.
    pub fn stop(self) -> (End, Stopped) {
        self.program.signal(Signal::TERM);
        self.end()
    }

    /// Waits until it has ended, for whatever reason.
    pub fn end(self) -> (End, Stopped) {
        let Self {
            program,
            flags,
            environment,
            data,
            endpoints,
        } = self;
        let flags = with_real_addresses(flags, &endpoints);
        let stopped = Stopped {
            flags,
            environment,
            data,
        };
        (program.end(), stopped)
    }

    fn into_stopped(self) -> Stopped {
        Stopped {
            flags: with_real_addresses(self.flags, &self.endpoints),
            environment: self.environment,
            data: self.data,
        }
    }
}

/// The flags with the ports that the system has chosen.
fn with_real_addresses(mut flags: Vec<OsString>, endpoints: &[String]) -> Vec<OsString> {
    let mut endpoints = endpoints.iter();
    for at in 0..flags.len() - 1 {
        if flags[at] == "--address" || flags[at] == "--tcp-address" {
            flags[at + 1] = endpoints.next().expect("one for each address").into();
        }
    }
    flags
}

impl Stopped {
    /// The log's directory.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// The command that starts it again.
    pub fn command(&self) -> Command {
        let mut command = command();
        command.args(&self.flags);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts it again.
    pub fn start(self) -> Broker {
        let program = Program::start("orden-broker", &mut self.command());
        let addresses = ["--address", "--tcp-address"];
        let is_address = |flag: &&OsString| addresses.iter().any(|address| **flag == **address);
        let listening = self.flags.iter().filter(is_address).map(|_| {
            let line = program.line();
            let endpoint = line.strip_prefix("listening on ");
            endpoint.unwrap_or_else(|| panic!("{line:?}")).to_owned()
        });
        let endpoints = listening.collect();
        Broker {
            program,
            flags: self.flags,
            environment: self.environment,
            data: self.data,
            endpoints,
        }
    }
}
