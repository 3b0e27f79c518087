//! What the command lines of all three programs have in common.

use std::process::ExitCode;

use clap::Parser;
use clap::builder::styling::{AnsiColor, Styles};

/// How help looks on a terminal.
pub(crate) const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Reads the command line. What it does not allow is said on stderr, and the process is to exit
/// with 1; what it asks to be told, help or the version, on stdout, with 0.
pub(crate) fn parse<C: Parser>() -> Result<C, ExitCode> {
    C::try_parse().map_err(|error| {
        // Nobody is left to tell when the stream is closed.
        error.print().ok();
        ExitCode::from(u8::from(error.use_stderr()))
    })
}
