//! `orden-broker`: parse, run, print, exit code. Everything else is in the library.

#[cfg(feature = "nats")]
#[path = "broker/cluster.rs"]
mod cluster;
#[path = "command_line.rs"]
mod command_line;
#[path = "broker/commands.rs"]
mod commands;
#[path = "broker/effective.rs"]
mod effective;
#[path = "broker/ending.rs"]
mod ending;
#[path = "broker/flags.rs"]
mod flags;
#[cfg(feature = "http")]
#[path = "broker/http.rs"]
mod http;
#[path = "broker/log_command.rs"]
mod log_command;
#[path = "broker/log_dump.rs"]
mod log_dump;
#[path = "broker/log_error.rs"]
mod log_error;
#[path = "broker/logging.rs"]
mod logging;
#[path = "broker/notify.rs"]
mod notify;
#[path = "broker/security.rs"]
mod security;
#[path = "broker/shown.rs"]
mod shown;
#[path = "broker/signals.rs"]
mod signals;
#[path = "broker/size.rs"]
mod size;
#[path = "broker/startup.rs"]
mod startup;
#[cfg(feature = "nats")]
#[path = "broker/stream_command.rs"]
mod stream_command;

use std::fmt::Display;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use orden::admin::{self, Control, View};
use orden::broker::{Broker, Config, Error, Sync};

use clap::CommandFactory as _;
use ending::{exit_code, hint};
use flags::{Cli, Command, Journal, Serve};
use log_command::LogCommand;

fn main() -> ExitCode {
    let (cli, matches): (Cli, _) = match command_line::parse_with_sources() {
        Ok(parsed) => parsed,
        Err(code) => return code,
    };
    match cli.command {
        Some(Command::Log(command)) => look_at_log(&command),
        Some(Command::Keys(command)) => make_keys(command),
        #[cfg(feature = "nats")]
        Some(Command::Stream(command)) => look_at_stream(&command),
        Some(Command::Operate(command)) => operate(command),
        Some(Command::Completions { shell }) => complete(shell),
        None if cli.serve.check => check(&cli.serve, &matches),
        None => serve_and_report(&cli.serve),
    }
}

fn look_at_log(command: &LogCommand) -> ExitCode {
    match log_command::run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(if error.is_damage() { 2 } else { 3 }, &error, error.hint()),
    }
}

#[cfg(feature = "nats")]
fn look_at_stream(command: &cluster::Command) -> ExitCode {
    match stream_command::run(command) {
        Ok(text) => {
            // It is done, whether or not anybody reads it.
            writeln!(std::io::stdout(), "{text}").ok();
            ExitCode::SUCCESS
        }
        Err(error) => fail(error.exit_code(), &error, error.hint()),
    }
}

fn operate(command: commands::Operate) -> ExitCode {
    match commands::run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(error.exit_code(), &error, error.hint()),
    }
}

fn complete(shell: clap_complete::Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "orden-broker", &mut script);
    match std::io::stdout().write_all(&script) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(3, &error, ""),
    }
}

fn make_keys(command: security::Command) -> ExitCode {
    match command.run() {
        Ok(text) => {
            // The files are made, whether or not anybody reads where.
            writeln!(std::io::stdout(), "{text}").ok();
            ExitCode::SUCCESS
        }
        Err(error) => fail(exit_code(&error), &error, hint(&error)),
    }
}

/// Prints what is in effect, if a broker would start with it.
fn check(options: &Serve, matches: &clap::ArgMatches) -> ExitCode {
    if let Some((why, hint)) = options.mistake() {
        return fail(1, &why, hint);
    }
    if let Err(error) = options.config() {
        return fail(exit_code(&error), &error, hint(&error));
    }
    let mut text = effective::settings(&Cli::command(), matches);
    text += &options.consequences();
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(3, &error, ""),
    }
}

fn serve_and_report(options: &Serve) -> ExitCode {
    if let Some((why, hint)) = options.mistake() {
        return fail(1, &why, hint);
    }
    let log_file = match options.logging.start() {
        Ok(log_file) => log_file,
        Err(error) => return fail(3, &error, "give --log-file a file that can be written"),
    };
    if let Some(why) = startup::too_few_descriptors() {
        return fail(3, &why, "raise it: ulimit -n, or LimitNOFILE= in systemd");
    }
    let served = serve(options, log_file);
    log::logger().flush();
    match served {
        Ok(()) | Err(Failure::Broker(Error::GivenUp)) => ExitCode::SUCCESS,
        Err(Failure::Broker(error)) => fail(exit_code(&error), &error, hint(&error)),
        #[cfg(feature = "nats")]
        Err(Failure::Cluster(error)) => fail(error.exit_code(), &error, ""),
        Err(Failure::Control(error)) => fail(3, &error, "--control PATH puts it elsewhere"),
        #[cfg(feature = "http")]
        Err(Failure::Http(error)) => fail(error.exit_code(), &error, error.hint()),
    }
}

/// Why there is no broker any more, or never was.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Broker(#[from] Error),
    #[cfg(feature = "nats")]
    #[error(transparent)]
    Cluster(#[from] cluster::Error),
    #[error(transparent)]
    Control(#[from] admin::Error),
    #[cfg(feature = "http")]
    #[error(transparent)]
    Http(#[from] http::Error),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Broker(error.into())
    }
}

fn serve(cli: &Serve, log_file: logging::LogFile) -> Result<(), Failure> {
    // Before anything else runs, so that no signal finds the process unprepared.
    let signals = signals::catch()?;
    effective::warn_of_unknown_variables(&Cli::command());
    startup::introduce();
    let config = cli.config()?;
    if config.security.is_some() {
        orden::net::forbid_core_dumps()?;
    }
    warn_of_what_is_lost(&cli.journal, cli.is_shared());
    #[cfg(feature = "http")]
    let http = cli.http.prepare(&config)?;
    #[cfg(feature = "http")]
    let http = http.map(|it| Ok::<_, http::Error>((it.address(), it.serve()?)));
    #[cfg(feature = "http")]
    let mut http = http.transpose()?;
    let broker = start(cli, &config)?;
    let view = Arc::new(View::new(broker.outside(), cli.data().map(Into::into)));
    let reload = signals::reload(broker.outside(), log_file);
    signals::watch(signals, &view, reload.clone())?;
    let control = cli
        .control()
        .map(|path| Control::serve(&path, view.clone(), reload));
    let _controlled = control.transpose()?;
    #[cfg_attr(
        not(feature = "http"),
        expect(unused_mut, reason = "one endpoint more with HTTP")
    )]
    let mut endpoints = broker.endpoints().to_vec();
    #[cfg(feature = "http")]
    if let Some((address, web)) = &mut http {
        endpoints.push(format!("http://{address}"));
        web.show(view.clone());
    }
    startup::announce(&endpoints)?;
    notify::ready(&endpoints);
    notify::watch_over(broker.outside().pulse.clone())?;
    Ok(broker.wait()?)
}

fn start(cli: &Serve, config: &Config) -> Result<Broker, Failure> {
    #[cfg(feature = "nats")]
    if cli.is_shared() {
        let (bytes, insecure) = (config.limits.message_bytes, cli.security.is_insecure());
        let membership = cli.cluster.reach(bytes, insecure)?;
        return Ok(Broker::start_among(config, membership)?);
    }
    let _ = cli;
    Ok(Broker::start(config)?)
}

/// Says once, and in words, what a weaker choice than the default costs.
fn warn_of_what_is_lost(journal: &Journal, is_shared: bool) {
    if journal.in_memory {
        let kept = journal.in_memory();
        log::warn!(
            "in memory: when this process ends, every message and every session is gone; \
             the newest {} MiB of messages are kept for those who come later, and up to {} MiB \
             for members that are behind",
            kept.retain_bytes >> 20,
            kept.behind_bytes >> 20
        );
        return;
    }
    match journal.sync {
        Sync::Always => {}
        _ if is_shared => {} // the stream has what the journal has not
        Sync::Every(period) => log::warn!(
            "synced every {} ms: a power cut may take back what was confirmed and seen \
             in that time, and give its numbers to other messages",
            period.as_millis()
        ),
        Sync::Never => log::warn!(
            "never synced: a power cut may take back half a minute of what was confirmed and \
             seen, or more, and give its numbers to other messages"
        ),
    }
}

/// Says what went wrong in one line, and what one can do in a second.
fn fail(code: u8, error: &dyn Display, hint: &str) -> ExitCode {
    let hint = match hint {
        "" => String::new(),
        hint => format!("hint: {hint}\n"),
    };
    let text = format!("orden-broker: {error}\n{hint}");
    // The exit code says it, too.
    std::io::stderr().write_all(text.as_bytes()).ok();
    ExitCode::from(code)
}
