//! A program that a test runs: its lines as they come, its end, and nothing left behind.

pub mod broker;
pub mod client;
pub mod nats;
pub mod python;
pub mod status;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::spawn;

use rustix::process::{Pid, Signal, kill_process};

use crate::{PATIENCE, deadline, poll};

/// One of orden's programs, without a flag, and with nothing in its environment that would be one.
pub fn command(program: &str) -> Command {
    command_inside(&[], program)
}

/// The same behind the words that another command begins with, which runs it elsewhere.
fn command_inside(prefix: &[String], program: &str) -> Command {
    deadline::set();
    let mut command = behind(prefix, built(program));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ORDEN_") {
            command.env_remove(name);
        }
    }
    command
}

/// A program, or a command whose last words are that program.
fn behind(prefix: &[String], program: PathBuf) -> Command {
    let Some((first, rest)) = prefix.split_first() else {
        return Command::new(program);
    };
    let mut command = Command::new(first);
    command.args(rest).arg(program);
    command
}

/// Where cargo has put one of orden's programs: it builds them before it runs a test, whose own
/// program lies in `deps`, beside them.
fn built(program: &str) -> PathBuf {
    let test = std::env::current_exe().expect("it runs");
    let built = test.ancestors().nth(2).expect("it lies in target/");
    built
        .join(program)
        .with_extension(std::env::consts::EXE_EXTENSION)
}

/// How many lines of a program are shown when a test fails.
const SHOWN: usize = 50;

/// A program while it runs; killed if it is dropped before its end. Where the test fails, it
/// shows what the program had to say.
pub struct Program {
    name: String,
    child: Child,
    lines: Receiver<String>,
    complaints: Complaints,
}

/// How a program has ended.
#[derive(Debug)]
pub struct End {
    status: ExitStatus,
    /// The lines of standard output that nobody had asked for before.
    pub lines: Vec<String>,
    /// Standard error.
    pub complaint: String,
}

impl End {
    /// Whether it said that all is well.
    pub fn success(&self) -> bool {
        self.status.success()
    }

    /// Its exit code; none if a signal has ended it.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

impl Program {
    /// Starts it; `name` is for messages.
    pub fn start(name: &str, command: &mut Command) -> Self {
        deadline::set();
        let streams = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = match streams.spawn() {
            Ok(child) => child,
            Err(error) => panic!("{name} cannot be started: {error}\n{command:?}"),
        };
        let output = child.stdout.take().expect("asked for");
        let errors = child.stderr.take().expect("asked for");
        let (line, lines) = channel();
        spawn(move || {
            for text in lines_of(output) {
                if line.send(text).is_err() {
                    return;
                }
            }
        });
        Self {
            name: name.to_owned(),
            child,
            lines,
            complaints: Complaints::read(errors),
        }
    }

    /// Writes a line to its standard input.
    pub fn tell(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("still open");
        writeln!(input, "{line}").expect("the program reads its input");
    }

    /// Writes to its standard input what stands there. One that has ended hears nothing.
    pub fn type_in(&mut self, text: &str) {
        let input = self.child.stdin.as_mut().expect("still open");
        input.write_all(text.as_bytes()).ok();
    }

    /// Its standard input, to write to from elsewhere, and to close.
    pub fn take_input(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("still open")
    }

    /// The next line that it prints.
    pub fn line(&self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(error) => panic!("no line from {}: {error}", self.name),
        }
    }

    /// The same, if it has printed one.
    pub fn line_now(&self) -> Option<String> {
        self.lines.try_recv().ok()
    }

    /// No line of its standard output is read any more, after the next.
    pub fn close_output(&mut self) {
        self.lines = channel().1;
    }

    /// How many lines it has written to standard error so far.
    pub fn complained(&self) -> usize {
        self.complaints.said().lines.len()
    }

    /// Waits for a line of standard error that holds `text`, from line `first` on; gives all the
    /// lines from there up to it.
    pub fn complaint(&self, first: usize, text: &str) -> Vec<String> {
        let found = self.complaints.wait(|lines| {
            let lines = lines.get(first..)?;
            let at = lines.iter().position(|line| line.contains(text))?;
            Some(lines[..=at].to_vec())
        });
        found.unwrap_or_else(|| panic!("{} never says {text:?} on standard error", self.name))
    }

    /// Everything that it has written to standard error so far.
    pub fn complaints(&self) -> String {
        self.complaints.so_far().join("\n")
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs, or was not waited for");
    }

    /// Lets it stand still, every thread of it, until it is told to go on.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
        let tasks = format!("/proc/{}/task", self.pid().as_raw_nonzero());
        let stands_still = |task: std::io::Result<fs::DirEntry>| {
            let stat = fs::read_to_string(task.expect("it runs").path().join("stat"));
            let stat = stat.expect("it runs");
            let (_, after_name) = stat.rsplit_once(") ").expect("a name");
            after_name.starts_with('T')
        };
        let all = || fs::read_dir(&tasks).expect("it runs").all(stands_still);
        poll(|| all().then_some(()), "the end of every thread's turn");
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        let ended = self.child.try_wait().expect("it was started");
        ended.is_none()
    }

    /// Closes its standard input and waits for its end.
    pub fn end(mut self) -> End {
        drop(self.child.stdin.take());
        self.end_by_itself()
    }

    /// Waits for an end that does not come from its input.
    pub fn end_by_itself(mut self) -> End {
        let mut lines = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => lines.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("{} does not end", self.name),
            }
        }
        self.complaints.wait_for_end();
        let status = self.child.wait().expect("it was started");
        End {
            status,
            lines,
            complaint: self.complaints(),
        }
    }

    /// Waits for its end, which has to be a good one; gives the lines it printed.
    pub fn finish(self) -> Vec<String> {
        let name = self.name.clone();
        let end = self.end();
        let End {
            status,
            lines,
            complaint,
        } = &end;
        assert!(end.success(), "{name}: {status}\n{complaint}\n{lines:?}");
        end.lines
    }

    /// Ends it without a warning, as `kill -9` does.
    pub fn kill(&mut self) {
        // An error means that it has ended by itself, and was waited for.
        self.child.kill().ok();
        self.child.wait().expect("it was started");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let lines = self.complaints.so_far();
            let last = lines.split_at(lines.len().saturating_sub(SHOWN)).1;
            eprintln!("{} said at last:\n{}", self.name, last.join("\n"));
        }
    }
}

/// Lines of standard error, which a thread reads as they come.
struct Complaints(Arc<(Mutex<Said>, Condvar)>);

#[derive(Default)]
struct Said {
    lines: Vec<String>,
    is_over: bool,
}

impl Complaints {
    fn read(errors: impl Read + Send + 'static) -> Self {
        let shared = Arc::new((Mutex::new(Said::default()), Condvar::new()));
        let complaints = Self(Arc::clone(&shared));
        spawn(move || {
            let (said, changed) = &*shared;
            for line in lines_of(errors) {
                said.lock().expect("no holder panics").lines.push(line);
                changed.notify_all();
            }
            said.lock().expect("no holder panics").is_over = true;
            changed.notify_all();
        });
        complaints
    }

    fn so_far(&self) -> Vec<String> {
        self.said().lines.clone()
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        self.0.0.lock().expect("no holder panics")
    }

    /// Waits until `find` finds something, or the program has ended, or for too long.
    fn wait<T>(&self, mut find: impl FnMut(&[String]) -> Option<T>) -> Option<T> {
        let mut found = None;
        let goes_on = |said: &mut Said| {
            found = find(&said.lines);
            found.is_none() && !said.is_over
        };
        drop(self.0.1.wait_timeout_while(self.said(), PATIENCE, goes_on));
        found
    }

    fn wait_for_end(&self) {
        self.wait(|_| None::<()>);
    }
}

/// Lines as they come; what is no UTF-8 in them is replaced, not swallowed.
fn lines_of(stream: impl Read) -> impl Iterator<Item = String> {
    let lines = BufReader::new(stream).split(b'\n').map_while(Result::ok);
    lines.map(|line| String::from_utf8_lossy(&line).into_owned())
}
