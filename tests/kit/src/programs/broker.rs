//! `orden-broker` as a process: on a free port, with a directory of its own.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, prlimit};
use tempfile::TempDir;

use super::status::Status;
use super::{End, Program};
use crate::poll;

/// A broker that serves.
pub struct Broker {
    program: Program,
    setup: Setup,
    endpoints: Vec<String>,
}

/// A broker that was, to be started again where it was: same port, same directory.
pub struct Stopped {
    setup: Setup,
}

/// What a broker is started with.
struct Setup {
    /// What its command begins with.
    prefix: Vec<String>,
    flags: Vec<OsString>,
    environment: Environment,
    data: PathBuf,
    /// What goes when the broker goes for good.
    _directory: Option<TempDir>,
}

/// What it finds in its environment besides.
pub type Environment = Vec<(&'static str, PathBuf)>;

/// What a broker uses at a moment.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    pub resident_bytes: u64,
    pub descriptors: u64,
    pub threads: u64,
}

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

/// Whether a flag names an address, in the order in which the broker says that it listens.
fn is_address(flag: &OsString) -> bool {
    ["--address", "--tcp-address", "--http-address"]
        .iter()
        .any(|address| flag == address)
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
        if let Some(at) = flags.iter().position(|flag| *flag == "--data") {
            let data = PathBuf::from(flags[at + 1]);
            return Self::set_up(with_address(flags), data, environment, None);
        }
        let directory = TempDir::with_prefix("orden-").expect("a directory for temporary files");
        let data = directory.path().to_owned();
        let mut flags = with_address(flags);
        flags.extend(["--data".into(), data.clone().into()]);
        Self::set_up(flags, data, environment, Some(directory))
    }

    /// One whose command begins with these words, which run it elsewhere.
    pub fn start_behind(prefix: Vec<String>, flags: &[&str]) -> Self {
        let directory = TempDir::with_prefix("orden-").expect("a directory for temporary files");
        let data = directory.path().to_owned();
        let mut flags = with_address(flags);
        flags.extend(["--data".into(), data.clone().into()]);
        let setup = Setup {
            prefix,
            flags,
            environment: Environment::new(),
            data,
            _directory: Some(directory),
        };
        Stopped { setup }.start()
    }

    fn set_up(
        flags: Vec<OsString>,
        data: PathBuf,
        environment: Environment,
        directory: Option<TempDir>,
    ) -> Self {
        let setup = Setup {
            prefix: Vec::new(),
            flags,
            environment,
            data,
            _directory: directory,
        };
        Stopped { setup }.start()
    }

    /// One that keeps no log, for what has nothing to do with it.
    pub fn in_memory(flags: &[&str]) -> Self {
        let mut flags = with_address(flags);
        flags.push("--in-memory".into());
        Self::set_up(flags, PathBuf::new(), Environment::new(), None)
    }

    /// Where DEALERs connect, as a ZeroMQ endpoint.
    pub fn endpoint(&self) -> &str {
        &self.endpoints[0]
    }

    /// The same as `HOST:PORT`, for whoever connects without ZeroMQ.
    pub fn address(&self) -> &str {
        host_and_port(self.endpoint())
    }

    /// The same, for a proxy.
    pub fn socket_address(&self) -> SocketAddr {
        self.address().parse().expect("numbers")
    }

    /// Where plain TCP peers connect, as `HOST:PORT`.
    pub fn tcp_address(&self) -> &str {
        let endpoint = self.endpoints.get(1).expect("--tcp-address was given");
        host_and_port(endpoint)
    }

    /// Where it speaks HTTP, as `HOST:PORT`.
    pub fn http_address(&self) -> &str {
        let mut endpoints = self.endpoints.iter();
        let address = endpoints.find_map(|endpoint| endpoint.strip_prefix("http://"));
        address.expect("--http-address was given")
    }

    /// The log's directory.
    pub fn data(&self) -> &Path {
        &self.setup.data
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
        poll(|| Some(self.status()).filter(&is), what)
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

    /// What it uses now.
    pub fn usage(&self) -> Usage {
        let process = format!("/proc/{}", self.program.pid().as_raw_nonzero());
        let status = fs::read_to_string(format!("{process}/status")).expect("it runs");
        let number = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            let number = number.and_then(|number| number.parse::<u64>().ok());
            number.unwrap_or_else(|| panic!("no {name} in {status}"))
        };
        let descriptors = fs::read_dir(format!("{process}/fd")).expect("it runs");
        Usage {
            resident_bytes: number("VmRSS:") << 10,
            descriptors: descriptors.count() as u64,
            threads: number("Threads:"),
        }
    }

    /// From now on it may have so many descriptors.
    pub fn limit_descriptors(&self, most: u64) {
        let limit = Rlimit {
            current: Some(most),
            maximum: getrlimit(Resource::Nofile).maximum,
        };
        prlimit(Some(self.program.pid()), Resource::Nofile, limit).expect("a child of ours");
    }

    /// Ends it without a warning.
    pub fn kill(mut self) -> Stopped {
        self.program.kill();
        Stopped::new(self.setup, &self.endpoints)
    }

    /// Asks it to stop, which must end well.
    pub fn finish(self) -> Stopped {
        let (end, stopped) = self.stop();
        assert_eq!(end.code(), Some(0), "{}", end.complaint);
        stopped
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
            setup,
            endpoints,
        } = self;
        (program.end(), Stopped::new(setup, &endpoints))
    }
}

impl Stopped {
    fn new(mut setup: Setup, endpoints: &[String]) -> Self {
        let flags = &mut setup.flags;
        let mut endpoints = endpoints.iter();
        for at in 0..flags.len() - 1 {
            if is_address(&flags[at]) {
                let endpoint = endpoints.next().expect("one for each address");
                flags[at + 1] = endpoint.trim_start_matches("http://").into();
            }
        }
        Self { setup }
    }

    /// The log's directory.
    pub fn data(&self) -> &Path {
        &self.setup.data
    }

    /// The command that starts it again.
    pub fn command(&self) -> Command {
        let mut command = super::command_inside(&self.setup.prefix, "orden-broker");
        command.args(&self.setup.flags);
        command.envs(self.setup.environment.iter().cloned());
        command
    }

    /// Starts it again.
    pub fn start(self) -> Broker {
        let program = Program::start("orden-broker", &mut self.command());
        let listening = self
            .setup
            .flags
            .iter()
            .filter(|flag| is_address(flag))
            .map(|_| {
                let line = program.line();
                let endpoint = line.strip_prefix("listening on ");
                endpoint.unwrap_or_else(|| panic!("{line:?}")).to_owned()
            });
        let endpoints = listening.collect();
        Broker {
            program,
            setup: self.setup,
            endpoints,
        }
    }
}
