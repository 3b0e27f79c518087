//! `orden-broker log dump`: the messages of a log, also as they come.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use orden::display::Message;
use orden::store;
use orden::wire::OrderNumber;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::log_error::{LogError, shown};

/// How long `--follow` waits between two looks at the log.
const PAUSE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

/// What is printed, and how.
#[derive(Debug, Args)]
pub(crate) struct Dump {
    /// The log's directory
    dir: PathBuf,
    /// The number of the first message (default: the oldest that is kept)
    #[arg(long, value_name = "NUMBER")]
    from: Option<u64>,
    /// How many messages (default: all)
    #[arg(long, value_name = "COUNT")]
    count: Option<u64>,
    /// How messages are printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Go on with what comes
    #[arg(long)]
    follow: bool,
    /// Also print messages that are written but not known to be on disk: a power cut can take
    /// them back and give their numbers to others
    #[arg(long)]
    unsynced: bool,
}

/// How messages are printed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Format {
    /// `17 ana: hola`
    Text,
    /// `{"order":17,"from":"ana","message":"hola","time":"…","kind":"message"}`; names and
    /// messages that are not UTF-8 in base64
    Json,
}

/// Prints what was asked for.
pub(crate) fn run(options: &Dump) -> Result<(), LogError> {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    let from = options.from.map(OrderNumber);
    let mut dump = store::dump(&options.dir, from)?;
    if options.unsynced {
        dump = dump.with_unsynced();
    }
    let from = from.unwrap_or(OrderNumber(0));
    let mut left = options.count.unwrap_or(u64::MAX);
    while left > 0 {
        let Some(chunk) = dump.next().transpose()? else {
            stdout.flush()?;
            if options.follow && is_wanted(stdout.get_ref())? {
                continue;
            }
            break;
        };
        for record in chunk.records().filter(|record| record.order >= from) {
            if left == 0 {
                break;
            }
            left -= 1;
            let message = Message::from(&record);
            match options.format {
                Format::Text => writeln!(stdout, "{message}")?,
                Format::Json => writeln!(stdout, "{}", message.to_json())?,
            }
        }
    }
    stdout.flush()?;
    let unsafe_yet = dump.not_yet_safe();
    if !options.follow && !unsafe_yet.is_empty() {
        let how = if options.unsynced {
            "are printed, but"
        } else {
            "are left out (--unsynced prints them):"
        };
        eprintln!(
            "orden-broker: {} {how} not known to be on disk yet",
            shown(&unsafe_yet)
        );
    }
    Ok(())
}

/// Waits a moment; says whether anybody still reads what is printed: `log dump --follow | head`
/// must end although nothing comes that could be printed in vain.
fn is_wanted(stdout: &io::StdoutLock<'_>) -> io::Result<bool> {
    let mut output = [PollFd::new(stdout, PollFlags::empty())];
    match poll(&mut output, Some(&PAUSE)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let gone = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
    Ok(!output[0].revents().intersects(gone))
}
