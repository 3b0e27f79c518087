//! What is in effect, and where it comes from: for `--check`, and for variables that are none.

use std::ffi::OsStr;
use std::fmt::Write as _;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

/// Before the name of every variable.
const PREFIX: &str = "ORDEN_";
/// Variables of orden-client and orden-bench, which may stand in the same environment.
const OTHERS: &[&str] = &[
    "BATCH",
    "COUNT",
    "CURVE",
    "DEADLINE",
    "DIALECT",
    "FOLLOW",
    "FORMAT",
    "FROM",
    "MESSAGES",
    "NAME",
    "NEW_SESSION",
    "OBSERVE",
    "ON_EXIT",
    "PARTS",
    "PATIENCE",
    "PLOT",
    "PUBLISHERS",
    "PUBLISH_ONLY",
    "RATE",
    "RESUME",
    "ROUNDS",
    "SCALE",
    "SERVER_KEY",
    "SIZE",
    "STALLED",
    "SUBSCRIBERS",
    "THREADS",
];

/// Every flag with its value and where that comes from, a line each.
pub(crate) fn settings(command: &Command, matches: &ArgMatches) -> String {
    let flags = command.get_arguments().filter_map(|arg| {
        let name = arg.get_long()?;
        let is_setting = arg.get_env().is_some();
        is_setting.then(|| (name, arg.get_id().as_str()))
    });
    let mut text = String::new();
    for (name, id) in flags {
        let values = matches.get_raw(id).into_iter().flatten();
        let values: Vec<_> = values.map(OsStr::to_string_lossy).collect();
        let source = match matches.value_source(id) {
            Some(ValueSource::CommandLine) => "command line",
            Some(ValueSource::EnvVariable) => "environment",
            Some(_) => "default",
            None => "not set",
        };
        let flag = format!("--{name} {}", values.join(","));
        writeln!(text, "{:<58} {source}", flag.trim_end()).expect("a string takes all");
    }
    text
}

/// Warns of variables that look like settings and are none: misspelt, most likely.
pub(crate) fn warn_of_unknown_variables(command: &Command) {
    let known: Vec<_> = known(command);
    for (name, _) in std::env::vars_os() {
        let Some(name) = name.to_str() else { continue };
        let Some(short) = name.strip_prefix(PREFIX) else {
            continue;
        };
        if !known.iter().any(|known| *known == name) && !OTHERS.contains(&short) {
            log::warn!("the environment variable {name} is no setting: `--help` lists them");
        }
    }
}

fn known(command: &Command) -> Vec<&OsStr> {
    let own = command.get_arguments().filter_map(clap::Arg::get_env);
    own.chain(command.get_subcommands().flat_map(known))
        .collect()
}
