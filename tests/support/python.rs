//! Python peers in tests: an interpreter with pyzmq, made once in target/, and programs it runs.
//!
//! `cargo test` has to be enough on a machine with Python 3: what is missing is said in words,
//! and nothing is skipped.

#![allow(dead_code, reason = "each test takes what it needs")]

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;

const PYZMQ: &str = "27.3.0";
/// Far more than a step of a peer takes on a busy machine: whoever waits so long has failed.
const PATIENCE: Duration = Duration::from_mins(1);

/// The interpreter: that of a virtual environment in target/, with pyzmq.
pub(crate) fn interpreter() -> &'static Path {
    static INTERPRETER: OnceLock<PathBuf> = OnceLock::new();
    INTERPRETER.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
        let environment = target.expect("it lies in target/").join("peers-venv");
        let python = environment.join("bin/python");
        // Test programs run side by side, and each may be the first.
        let lock = File::create(environment.with_extension("lock")).expect("target/ is writable");
        lock.lock().expect("a file in target/ can be locked");
        if !has_pyzmq(&python) {
            make(&environment, &python);
        }
        python
    })
}

fn has_pyzmq(python: &Path) -> bool {
    let version = "import zmq; print(zmq.__version__)";
    let output = Command::new(python).args(["-c", version]).output();
    output.is_ok_and(|output| output.stdout.trim_ascii() == PYZMQ.as_bytes())
}

fn make(environment: &Path, python: &Path) {
    let venv = [OsStr::new("-m"), "venv".as_ref(), "--clear".as_ref()];
    let hint = "install Python 3 with its venv module (Debian: apt install python3-venv)";
    run(Command::new("python3").args(venv).arg(environment), hint);
    let package = format!("pyzmq=={PYZMQ}");
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
    ];
    let hint =
        "pip could not install pyzmq: is there a network, or a mirror in pip's configuration?";
    run(Command::new(python).args(pip).arg(package), hint);
    assert!(
        has_pyzmq(python),
        "pyzmq {PYZMQ} was installed and cannot be imported"
    );
}

fn run(command: &mut Command, hint: &str) {
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => panic!("{hint}\n{command:?}: {error}"),
    };
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success(),
        "{hint}\n{command:?}: {}\n{said}",
        output.status
    );
}

/// A program of tests/peers/ while it runs; killed if it is dropped before its end.
pub(crate) struct Peer {
    child: Child,
    lines: Receiver<String>,
    complaint: Option<JoinHandle<String>>,
}

/// How a peer has ended.
pub(crate) struct End {
    /// Whether it said that all is well.
    pub(crate) success: bool,
    /// The lines of standard output that nobody had asked for before.
    pub(crate) lines: Vec<String>,
    /// Standard error.
    pub(crate) complaint: String,
}

impl Peer {
    /// Starts tests/peers/`file`.
    pub(crate) fn start(file: &str, arguments: &[&str]) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers");
        let mut child = Command::new(interpreter())
            .arg(script.join(file))
            .args(arguments)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the interpreter has just been tried");
        let output = child.stdout.take().expect("asked for");
        let mut errors = child.stderr.take().expect("asked for");
        let (line, lines) = channel();
        spawn(move || {
            let read = BufReader::new(output).lines().map_while(Result::ok);
            read.take_while(|text| line.send(text.clone()).is_ok())
                .count()
        });
        let complaint = spawn(move || {
            let mut text = Vec::new();
            let _ = errors.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Self {
            child,
            lines,
            complaint: Some(complaint),
        }
    }

    /// Writes a line to its standard input; any line lets one that was told to `--hold` publish.
    pub(crate) fn tell(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("asked for");
        writeln!(input, "{line}").expect("the peer reads its input");
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> String {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(error) => {
                let _ = self.child.kill();
                panic!("no line from the peer: {error}\n{}", self.complaint());
            }
        }
    }

    /// Waits for its end, which its own `--deadline` bounds.
    pub(crate) fn end(mut self) -> End {
        drop(self.child.stdin.take());
        let status = self.child.wait().expect("it was started");
        End {
            success: status.success(),
            lines: self.lines.iter().collect(),
            complaint: self.complaint(),
        }
    }

    /// Waits for its end, which has to be a good one; gives the lines it printed.
    pub(crate) fn finish(self) -> Vec<String> {
        let end = self.end();
        assert!(
            end.success,
            "the peer failed: {}\n{:?}",
            end.complaint, end.lines
        );
        end.lines
    }

    fn complaint(&mut self) -> String {
        let complaint = self.complaint.take().map(JoinHandle::join);
        complaint.and_then(Result::ok).unwrap_or_default()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
