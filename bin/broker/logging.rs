//! What the broker says to people, and where.
//!
//! Who writes a line never waits for who reads it: lines go to a thread through a bounded channel,
//! and what finds no room, or cannot be written, is lost and counted.

use std::error::Error;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::Builder;
use std::time::Duration;

use clap::Args;
use crossbeam_channel::{Receiver, Sender, bounded};
use log::{Level, LevelFilter};
use simplelog::{ConfigBuilder, WriteLogger};

/// Lines that may wait to be written.
const WAITING: usize = 4096;
/// How long the end of the process waits for lines to be written.
const FAREWELL: Duration = Duration::from_millis(500);
/// How long the log file may take to be opened anew.
const REOPENING: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
#[command(next_help_heading = "Logging")]
pub(crate) struct Logging {
    /// How much to say: off, error, warn, info, debug or trace
    #[arg(
        long,
        env = "ORDEN_LOG_LEVEL",
        value_name = "LEVEL",
        default_value = "info"
    )]
    log_level: LevelFilter,
    /// Where to say it (default: stderr)
    #[arg(long, env = "ORDEN_LOG_FILE", value_name = "FILE")]
    log_file: Option<PathBuf>,
}

impl Logging {
    /// From here on, what is logged is said.
    pub(crate) fn start(&self) -> Result<LogFile, Box<dyn Error>> {
        let sink = match &self.log_file {
            Some(path) => Sink::File(open(path)?, path.clone()),
            None => Sink::Stderr {
                coloured: use_colour(),
            },
        };
        let (jobs, waiting) = bounded(WAITING);
        let file = LogFile(self.log_file.is_some().then(|| jobs.clone()));
        let lost = Arc::new(AtomicU64::new(0));
        let lines = Lines {
            jobs,
            line: Vec::new(),
            lost: Arc::clone(&lost),
        };
        Builder::new()
            .name("log".into())
            .spawn(move || write_lines(&waiting, sink, &lost))?;
        let config = ConfigBuilder::new().set_time_format_rfc3339().build();
        WriteLogger::init(self.log_level, config, lines)?;
        Ok(file)
    }
}

fn open(path: &Path) -> Result<File, String> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.map_err(|error| format!("cannot open the log file {}: {error}", path.display()))
}

/// What the writing thread is asked for.
#[derive(Debug)]
enum Job {
    Line(Vec<u8>),
    /// To be answered once everything before it is written.
    Flush(Sender<()>),
    /// The file is to be opened anew, by its name.
    Reopen(Sender<Result<(), String>>),
}

/// The file that lines go to, if they go to one. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct LogFile(Option<Sender<Job>>);

impl LogFile {
    /// Opens it anew: the old one was renamed, or removed. `None`: lines go to stderr.
    ///
    /// # Errors
    /// Why lines still go to the old one.
    pub(crate) fn reopen(&self) -> Option<Result<(), String>> {
        let jobs = self.0.as_ref()?;
        let late = || Err("the log file is not opened yet".to_owned());
        let (done, opened) = bounded(1);
        if jobs.send_timeout(Job::Reopen(done), REOPENING).is_err() {
            return Some(late());
        }
        Some(opened.recv_timeout(REOPENING).unwrap_or_else(|_| late()))
    }
}

/// Where the logger writes: collects a line and hands it on.
struct Lines {
    jobs: Sender<Job>,
    line: Vec<u8>,
    lost: Arc<AtomicU64>,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if self.line.ends_with(b"\n") {
            let line = std::mem::take(&mut self.line);
            if self.jobs.try_send(Job::Line(line)).is_err() {
                self.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let (done, written) = bounded(1);
        let asked = self.jobs.send_timeout(Job::Flush(done), FAREWELL);
        // Whoever does not read the log does not keep the process from its end.
        if asked.is_err() || written.recv_timeout(FAREWELL).is_err() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

/// Where lines end up.
enum Sink {
    Stderr { coloured: bool },
    File(File, PathBuf),
}

impl Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        match self {
            Self::Stderr { coloured: false } => io::stderr().write_all(line),
            Self::Stderr { coloured: true } => io::stderr().write_all(&coloured(line)),
            Self::File(file, _) => file.write_all(line),
        }
    }

    /// Opens the file anew; the old one stays if that fails.
    fn reopen(&mut self) -> Result<(), String> {
        if let Self::File(file, path) = self {
            *file = open(path)?;
        }
        Ok(())
    }

    /// Says, once for each time that it begins, that lines are lost.
    fn complain(&self, error: &io::Error) {
        if let Self::File(_, path) = self {
            let path = path.display();
            let line = format!("orden-broker: cannot write to the log file {path}: {error}\n");
            // With stderr gone as well there is nowhere left to say it.
            io::stderr().write_all(line.as_bytes()).ok();
        }
    }
}

fn write_lines(jobs: &Receiver<Job>, mut sink: Sink, lost: &AtomicU64) {
    let mut is_failing = false;
    for job in jobs {
        match job {
            Job::Flush(done) => {
                // Whoever has asked may have given up.
                done.send(()).ok();
            }
            Job::Reopen(done) => {
                done.send(sink.reopen()).ok();
            }
            Job::Line(line) => match sink.write(&line) {
                Ok(()) => {
                    is_failing = false;
                    let lost = lost.swap(0, Ordering::Relaxed);
                    if lost > 0 {
                        log::warn!("{lost} lines of this log were lost before this one");
                    }
                }
                Err(error) => {
                    lost.fetch_add(1, Ordering::Relaxed);
                    if !is_failing {
                        sink.complain(&error);
                    }
                    is_failing = true;
                }
            },
        }
    }
}

/// The line with its level in the level's colour.
fn coloured(line: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(line);
    for (level, colour) in [
        (Level::Error, 31),
        (Level::Warn, 33),
        (Level::Info, 34),
        (Level::Debug, 36),
        (Level::Trace, 37),
    ] {
        let plain = format!("[{level}]");
        // The level stands right after the time.
        if text.split(' ').nth(1) == Some(&plain) {
            let painted = format!("\x1b[{colour}m{plain}\x1b[0m");
            return text.replacen(&plain, &painted, 1).into_bytes();
        }
    }
    line.to_vec()
}

/// Colours are for people: not for a pipe, and not for those who said that they want none.
fn use_colour() -> bool {
    use std::io::IsTerminal;
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| value != OsStr::new(""));
    std::io::stderr().is_terminal() && !unwanted
}
