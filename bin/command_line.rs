//! What the command lines of all three programs have in common.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::LazyLock;

use clap::builder::Resettable;
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Arg, ArgMatches, Command, Parser};
use clap_complete::Shell;
use orden::net::Libzmq;

/// How help looks on a terminal.
pub(crate) const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// What `--version` says and `-V` does not: which peers and logs this program understands.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{}\nwire: version {} of the native dialect\nlog: format {}\n{}",
        env!("CARGO_PKG_VERSION"),
        orden::wire::native::VERSION,
        orden::store::segment::FORMAT,
        Libzmq::linked(),
    )
});

/// For .packaging/artefacts alone, so no help shows it: `--write-pages DIR`.
const PAGES: &str = "--write-pages";

/// Reads the command line. What it does not allow is said on stderr, and the process is to exit
/// with 1; what it asks to be told, help or the version, on stdout, with 0.
#[allow(dead_code, reason = "not each of the programs")]
pub(crate) fn parse<C: Parser>() -> Result<C, ExitCode> {
    parse_with_sources().map(|(parsed, _)| parsed)
}

/// The same, with where each value comes from.
pub(crate) fn parse_with_sources<C: Parser>() -> Result<(C, ArgMatches), ExitCode> {
    let mut command = without_empty_variables(C::command()).long_version(VERSION.as_str());
    let mut arguments = std::env::args_os().skip(1);
    let first = arguments.next();
    if let (true, Some(folder)) = (
        first.as_deref() == Some(OsStr::new(PAGES)),
        arguments.next(),
    ) {
        return Err(match write_pages(command, Path::new(&folder)) {
            Ok(()) => ExitCode::SUCCESS,
            // The code is all that a build asks for.
            Err(_) => ExitCode::from(3),
        });
    }
    // Of a subcommand, the variables of other flags are none of its business.
    if first.is_some_and(|first| command.find_subcommand(&first).is_some()) {
        command = command.mut_args(|arg| arg.env(Resettable::Reset));
    }
    let matches = command.try_get_matches();
    let parsed = matches.and_then(|matches| Ok((C::from_arg_matches(&matches)?, matches)));
    parsed.map_err(|error| {
        // Nobody is left to tell when the stream is closed.
        error.print().ok();
        ExitCode::from(u8::from(error.use_stderr()))
    })
}

fn without_help_commands(command: Command) -> Command {
    let command = command.disable_help_subcommand(true);
    command.mut_subcommands(without_help_commands)
}

/// Writes what a package brings beside the program: a man page for it and each of its commands, and
/// what shells need to complete its command line.
fn write_pages(mut command: Command, folder: &Path) -> io::Result<()> {
    // The long form of the version is about this build, and would be part of the page's title; of
    // `help` there would be a page for each command. Completions come later, as they add `help`.
    let described = without_help_commands(command.clone()).long_version(Resettable::Reset);
    clap_mangen::generate_to(described, folder)?;
    let name = command.get_name().to_owned();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut command, &name, folder)?;
    }
    Ok(())
}

/// An environment variable that is empty counts as not set: that is how a compose file or a
/// service file says so.
fn without_empty_variables(command: Command) -> Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    let unset = |arg: Arg| match arg.get_env() {
        Some(name) if is_empty(name) => arg.env(Resettable::Reset),
        _ => arg,
    };
    command
        .mut_args(unset)
        .mut_subcommands(without_empty_variables)
}
