//! What signals have a broker do.

use std::io;
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use orden::admin::{PATIENCE, Reload, View};
use orden::broker::{Outside, Status};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::logging::LogFile;
use crate::notify;

/// Catches signals from now on; what they mean comes later.
///
/// # Errors
/// Those of the system.
pub(crate) fn catch() -> io::Result<Signals> {
    // SIGXFSZ would end the process without a word; caught, the write fails with an error that
    // says why.
    Signals::new([SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ])
}

/// Stops the broker at the first signal that says so, and the process at the second.
///
/// # Errors
/// When the thread cannot be started.
pub(crate) fn watch(mut signals: Signals, view: &Arc<View>, reload: Reload) -> io::Result<()> {
    let outside = view.outside().clone();
    let work = move || {
        let mut stopping = false;
        for signal in signals.forever() {
            match signal {
                SIGUSR1 => log_status(&outside.ack_map.status()),
                SIGXFSZ => {}
                SIGHUP => log_reload(&reload()),
                SIGUSR2 => drain(&outside),
                _ if stopping => std::process::exit(3),
                _ => {
                    log::info!("stopping: finishing what was accepted");
                    stopping = true;
                    // A manager that reads nothing holds the word for it up.
                    outside.stopper.stop();
                    notify::stopping();
                }
            }
        }
    };
    Builder::new().name("signals".into()).spawn(work)?;
    Ok(())
}

/// Reads anew what can be: the access list, and the log file by its name.
pub(crate) fn reload(outside: &Outside, file: LogFile) -> Reload {
    let outside = outside.clone();
    Arc::new(move || {
        notify::reloading();
        let mut reloaded = Vec::new();
        let mut failed = Vec::new();
        let parts = [
            ("log file", file.reopen()),
            (
                "access list",
                outside.reload_access_list().map(|it| it.map(drop)),
            ),
        ];
        for (name, result) in parts {
            match result {
                None => {}
                Some(Ok(())) => reloaded.push(name),
                Some(Err(why)) => failed.push(why),
            }
        }
        notify::reloaded();
        if failed.is_empty() {
            Ok(reloaded)
        } else {
            Err(failed.join("; "))
        }
    })
}

fn log_reload(result: &Result<Vec<&str>, String>) {
    match result {
        Ok(parts) if parts.is_empty() => log::info!("SIGHUP: there is nothing to reload"),
        Ok(parts) => log::info!("reloaded: {}", parts.join(", ")),
        Err(why) => log::error!("not reloaded: {why}"),
    }
}

/// Takes the broker out of service; waits for nothing, as further signals may come.
fn drain(outside: &Outside) {
    notify::draining();
    let operator = outside.operator.clone();
    let work = move || {
        if let Err(error) = operator.drain(Duration::from_secs(PATIENCE)) {
            log::error!("not drained: {error}");
        }
    };
    if let Err(error) = Builder::new().name("drain".into()).spawn(work) {
        log::error!("not drained: {error}");
    }
}

fn log_status(status: &Status) {
    log::info!(
        "next order number {}, {} members",
        status.next,
        status.members.len()
    );
    for member in &status.members {
        let presence = if member.present { "present" } else { "away" };
        let name = &member.name;
        log::info!(
            "{name} ({:?}, {presence}) expects {}",
            member.dialect,
            member.floor
        );
    }
    log::info!("{:?}", status.counters);
}
