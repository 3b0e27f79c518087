//! `orden-broker log …`: a look at a log from outside, also while a broker writes to it.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use orden::store::{self, Copied, Ending, Error, Report, Salvaged, SegmentReport, Stretch};

use crate::log_dump::{self, Dump};
use crate::log_error::{LogError, shown};

/// What can be done with a log.
#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Read every byte of a log and say whether it is whole; exit code 2 if it is not
    Check {
        /// The log's directory
        dir: PathBuf,
    },
    /// Print the messages of a log that are on disk, a line each
    Dump(Dump),
    /// Copy a log, also while a broker writes to it: a broker starts on the copy
    Backup {
        /// The log's directory
        dir: PathBuf,
        /// Where the copy goes: a directory that is empty or not there yet
        to: PathBuf,
    },
    /// Make a new log, with an id of its own, of the messages that are whole in a damaged one
    Salvage {
        /// The damaged log's directory; it stays as it is
        dir: PathBuf,
        /// Where the new log goes: a directory that is empty or not there yet
        to: PathBuf,
    },
}

/// Does what was asked for.
pub(crate) fn run(command: &LogCommand) -> Result<(), LogError> {
    let result = match command {
        LogCommand::Check { dir } => check(dir),
        LogCommand::Dump(dump) => log_dump::run(dump),
        LogCommand::Backup { dir, to } => print(&copy_report(&store::backup(dir, to)?)),
        LogCommand::Salvage { dir, to } => print(&salvage_report(&store::salvage(dir, to)?)),
    };
    match result {
        // Whoever reads has seen enough: `log dump … | head`.
        Err(LogError::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn check(dir: &Path) -> Result<(), LogError> {
    let report = store::check(dir).map_err(|error| match error {
        Error::NoLog { .. } => LogError::Nothing(error),
        error => error.into(),
    })?;
    print(&check_report(&report))?;
    match report.problems.len() {
        0 => Ok(()),
        problems => Err(LogError::NotWhole(problems)),
    }
}

fn print(text: &str) -> Result<(), LogError> {
    Ok(io::stdout().write_all(text.as_bytes())?)
}

fn copy_report(copied: &Copied) -> String {
    let Copied {
        log_id,
        messages,
        segments,
        bytes,
    } = copied;
    format!(
        "log {:016x}: copied {} in {segments} segments, {bytes} bytes\n",
        log_id.0,
        shown(messages)
    )
}

fn salvage_report(salvaged: &Salvaged) -> String {
    let mut text = String::new();
    let mut write = |line: std::fmt::Arguments<'_>| {
        writeln!(text, "{line}").expect("a string takes all");
    };
    for problem in &salvaged.problems {
        write(format_args!("PROBLEM {problem}"));
    }
    let mut before: Option<&Stretch> = None;
    for stretch in &salvaged.stretches {
        if let Some(before) = before.replace(stretch) {
            write(format_args!(
                "LOST {}",
                shown(&(before.was.end..stretch.was.start))
            ));
        }
        let same = stretch.was.start == stretch.now;
        let renumbered = if same {
            String::new()
        } else {
            format!(", now from {} on", stretch.now)
        };
        write(format_args!("saved {}{renumbered}", shown(&stretch.was)));
    }
    let count: u64 = (salvaged.stretches.iter())
        .map(|stretch| stretch.was.end.since(stretch.was.start))
        .sum();
    write(format_args!(
        "new log {:016x}: {count} messages, no sessions",
        salvaged.log_id.0
    ));
    text
}

fn check_report(report: &Report) -> String {
    let mut text = String::new();
    if let Some(log_id) = report.log_id {
        let epoch = report.epoch.0;
        writeln!(text, "log {:016x}, epoch {epoch}", log_id.0).expect("a string takes all");
    }
    for segment in &report.segments {
        writeln!(text, "{}", segment_line(segment)).expect("a string takes all");
    }
    for problem in &report.problems {
        writeln!(text, "PROBLEM {problem}").expect("a string takes all");
    }
    if report.problems.is_empty() {
        text.push_str("whole: every byte was checked\n");
    }
    text
}

fn segment_line(segment: &SegmentReport) -> String {
    let SegmentReport {
        first,
        end,
        bytes,
        batches,
        members,
        ..
    } = segment;
    let file = segment.file.file_name().unwrap_or_default().display();
    let messages = end.since(*first);
    let ending = match segment.ending {
        Ending::Continued => "goes on in the next",
        Ending::Closed => "closed in good order",
        Ending::Open => "open",
        Ending::Unfinished(_) => "open, with an unfinished write at its end",
    };
    format!(
        "{file}: {messages} messages from {first} in {batches} batches, {bytes} bytes, \
         {members} members at its head; {ending}"
    )
}
