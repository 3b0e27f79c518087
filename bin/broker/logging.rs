//! What the broker says to people, and where.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::Args;
use log::LevelFilter;
use simplelog::{ColorChoice, ConfigBuilder, TermLogger, TerminalMode, WriteLogger};

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
    pub(crate) fn start(&self) -> Result<(), Box<dyn std::error::Error>> {
        let config = ConfigBuilder::new().set_time_format_rfc3339().build();
        if let Some(path) = &self.log_file {
            let file = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)?;
            WriteLogger::init(self.log_level, config, file)?;
        } else {
            let colour = if use_colour() {
                ColorChoice::Auto
            } else {
                ColorChoice::Never
            };
            TermLogger::init(self.log_level, config, TerminalMode::Stderr, colour)?;
        }
        Ok(())
    }
}

/// Colours are for people: not for a pipe, and not for those who said that they want none.
fn use_colour() -> bool {
    use std::io::IsTerminal;
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| value != OsStr::new(""));
    std::io::stderr().is_terminal() && !unwanted
}
