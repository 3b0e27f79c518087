//! `orden-client` as a process.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, unbounded};
use orden::net::Address;

use super::stage::DEADLINE;

/// A running `orden-client`; killed when it is dropped before its end.
pub(crate) struct Program {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
    is_read: Arc<AtomicBool>,
    complaint: Option<JoinHandle<String>>,
}

/// How it has ended.
#[derive(Debug)]
pub(crate) struct End {
    /// `None`: by a signal.
    pub(crate) code: Option<i32>,
    /// The lines of standard output that nobody had asked for.
    pub(crate) lines: Vec<String>,
    /// Standard error.
    pub(crate) complaint: String,
}

/// The command, to which more can be added.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = orden_kit::programs::command("orden-client");
    command.args(arguments);
    command
}

impl Program {
    /// Starts it with pipes.
    pub(crate) fn start(address: &Address, arguments: &[&str]) -> Self {
        let address = address.to_string();
        let mut child = command(&[&["--address", &address], arguments].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = child.stdout.take().unwrap();
        let mut errors = child.stderr.take().unwrap();
        let (line, lines) = unbounded();
        let is_read = Arc::new(AtomicBool::new(true));
        let goes_on = Arc::clone(&is_read);
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut text = String::new();
            // The end of the output closes the pipe as well.
            while output.read_line(&mut text).unwrap() > 0 && goes_on.load(Ordering::SeqCst) {
                line.send(std::mem::take(&mut text).trim_end_matches('\n').to_owned())
                    .ok();
            }
        });
        let complaint = std::thread::spawn(move || {
            let mut text = String::new();
            errors.read_to_string(&mut text).unwrap();
            text
        });
        Self {
            input: child.stdin.take(),
            child,
            lines,
            is_read,
            complaint: Some(complaint),
        }
    }

    /// Writes to its standard input, unless it has ended.
    pub(crate) fn tell(&mut self, text: &str) {
        self.input.as_mut().unwrap().write_all(text.as_bytes()).ok();
    }

    /// Its standard input, to write to it at length.
    pub(crate) fn take_input(&mut self) -> ChildStdin {
        self.input.take().unwrap()
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("a line in time")
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Nobody reads its standard output any more, after the next line.
    pub(crate) fn close_output(&mut self) {
        self.is_read.store(false, Ordering::SeqCst);
    }

    /// Ends its input and waits for its end.
    pub(crate) fn end(mut self) -> End {
        drop(self.input.take());
        self.end_by_itself()
    }

    /// Waits for an end that does not come from its input.
    pub(crate) fn end_by_itself(mut self) -> End {
        let status = self.child.wait().unwrap();
        End {
            code: status.code(),
            lines: self.lines.iter().collect(),
            complaint: self.complaint.take().unwrap().join().unwrap(),
        }
    }

    /// The same, and it has to be a good one; gives the lines.
    pub(crate) fn finish(self) -> Vec<String> {
        let end = self.end();
        assert_eq!(end.code, Some(0), "{end:?}");
        end.lines
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
