//! What is said on standard error: log lines, and what there is to report.
//!
//! A thread writes it, because standard error may be a pipe that its reader has left full: then
//! lines are lost and counted, and no message waits for them.

use std::io::{Write, stderr};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use simplelog::{ConfigBuilder, LevelFilter, WriteLogger};

use super::{streams, threads};

/// Lines that wait to be written.
const LINES: usize = 1024;
/// How long the last lines may keep the process from ending.
const PATIENCE: Duration = Duration::from_secs(1);

static WRITER: OnceLock<Sender<Item>> = OnceLock::new();
static LOST: AtomicU64 = AtomicU64::new(0);

enum Item {
    Line(String),
    /// To be answered once everything before it is written.
    Flush(Sender<()>),
}

/// Starts the thread that writes to standard error.
pub(crate) fn open() -> Result<(), String> {
    let (writer, items) = bounded(LINES);
    threads::spawn("stderr", move || write_lines(&items))?;
    WRITER.set(writer).map_err(|_| "opened twice".to_owned())
}

/// Has log lines written to standard error.
pub(crate) fn start(level: LevelFilter) -> Result<(), String> {
    let config = ConfigBuilder::new().set_time_format_rfc3339().build();
    let sink = Sink::new(queue);
    WriteLogger::init(level, config, sink).map_err(|error| format!("cannot log: {error}"))
}

/// Says a line that is no log line.
pub(crate) fn say(line: &str) {
    queue(format!("{line}\n"));
}

/// Ends the process, once what was said is written, or after a moment.
pub(crate) fn exit(code: u8) -> ! {
    finish();
    std::process::exit(code.into())
}

/// Waits a moment until what was said is written.
pub(crate) fn finish() {
    let (done, written) = bounded(1);
    if let Some(writer) = WRITER.get()
        && writer.send_timeout(Item::Flush(done), PATIENCE).is_ok()
    {
        // If standard error takes nothing, nobody is there to be told.
        written.recv_timeout(PATIENCE).ok();
    }
}

fn queue(line: String) {
    let is_queued = |writer: &Sender<Item>| writer.try_send(Item::Line(line)).is_ok();
    if !WRITER.get().is_some_and(is_queued) {
        LOST.fetch_add(1, Ordering::Relaxed);
    }
}

fn write_lines(items: &Receiver<Item>) {
    for item in items {
        match item {
            // A stream that is closed, or full for good, cannot be told so.
            Item::Line(line) => drop(streams::write_all(stderr(), line.as_bytes())),
            Item::Flush(done) => drop(done.send(())),
        }
        let lost = LOST.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let line = format!("orden-client: {lost} lines were not written here in time\n");
            drop(streams::write_all(stderr(), line.as_bytes()));
        }
    }
}

/// Takes what the logger writes apart into lines.
pub(crate) struct Sink<L> {
    line: L,
    text: Vec<u8>,
}

impl<L: FnMut(String)> Sink<L> {
    pub(crate) fn new(line: L) -> Self {
        Self {
            line,
            text: Vec::new(),
        }
    }
}

impl<L: FnMut(String)> Write for Sink<L> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.text.extend_from_slice(bytes);
        if let Some(end) = self.text.iter().rposition(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.text.drain(..=end).collect();
            (self.line)(String::from_utf8_lossy(&line).into_owned());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
