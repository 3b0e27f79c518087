//! `orden-broker log …`: a look at a log from outside, also while a broker writes to it.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use orden::store::{self, Ending, Error, Report, SegmentReport};
use orden::wire::OrderNumber;
use orden::wire::shown::{json_line, text_line};

/// What can be done with a log.
#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Read every byte of a log and say whether it is whole; exit code 2 if it is not
    Check {
        /// The log's directory
        dir: PathBuf,
    },
    /// Print the messages of a log, a line each
    Dump {
        /// The log's directory
        dir: PathBuf,
        /// The number of the first message
        #[arg(long, value_name = "NUMBER", default_value_t = 0)]
        from: u64,
        /// How many messages (default: all)
        #[arg(long, value_name = "COUNT")]
        count: Option<usize>,
        /// How messages are printed
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

/// How messages are printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// `17 ana: hola`
    Text,
    /// `{"order":17,"from":"ana","message":"hola"}`
    Json,
}

/// Why a look at a log came to nothing, or to something bad.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// The log.
    #[error(transparent)]
    Store(#[from] Error),
    /// stdout.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
    /// A check found something.
    #[error("the log is not whole: {0} problems")]
    NotWhole(usize),
}

impl LogError {
    /// Whether the log is damaged, rather than out of reach.
    pub(crate) fn is_damage(&self) -> bool {
        match self {
            Self::Store(error) => error.is_damage(),
            Self::NotWhole(_) => true,
            Self::Print(_) => false,
        }
    }
}

/// Does what was asked for.
pub(crate) fn run(command: &LogCommand) -> Result<(), LogError> {
    let result = match command {
        LogCommand::Check { dir } => {
            let report = store::check(dir)?;
            let problems = report.problems.len();
            io::stdout().write_all(check_report(&report).as_bytes())?;
            if problems == 0 {
                Ok(())
            } else {
                Err(LogError::NotWhole(problems))
            }
        }
        LogCommand::Dump {
            dir,
            from,
            count,
            format,
        } => dump(
            dir,
            OrderNumber(*from),
            count.unwrap_or(usize::MAX),
            *format,
        ),
    };
    match result {
        // Whoever reads has seen enough: `log dump … | head`.
        Err(LogError::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn dump(dir: &Path, from: OrderNumber, count: usize, format: Format) -> Result<(), LogError> {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    let mut left = count;
    for chunk in store::dump(dir, from)? {
        let chunk = chunk?;
        for record in chunk
            .records()
            .filter(|record| record.order >= from)
            .take(left)
        {
            left -= 1;
            let line = match format {
                Format::Text => text_line(&record),
                Format::Json => json_line(&record),
            };
            writeln!(stdout, "{line}")?;
        }
        if left == 0 {
            break;
        }
    }
    Ok(stdout.flush()?)
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
