//! Tells the service manager how it goes, if one has started this and wants to know
//! (`NOTIFY_SOCKET`, `sd_notify(3)`).

use std::io;
use std::thread::Builder;
use std::time::Duration;

use crossbeam_channel::never;
use orden::broker::Pulse;
use sd_notify::NotifyState;

/// The broker listens, and where.
pub(crate) fn ready(endpoints: &[String]) {
    let status = format!("listening on {}", endpoints.join(", "));
    tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// The broker reads what it can read anew, until it is [`reloaded`].
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => log::warn!("the service manager was not told: {error}"),
    }
}

/// That is done.
pub(crate) fn reloaded() {
    tell(&[NotifyState::Ready]);
}

/// The broker takes no new members, and ends soon.
pub(crate) fn draining() {
    tell(&[NotifyState::Status("draining: no new members")]);
}

/// The broker takes nothing more in.
pub(crate) fn stopping() {
    let status = "finishing what was accepted";
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

/// Keeps a watchdog quiet while the sequencer does its rounds, if there is one (`WATCHDOG_USEC`).
///
/// # Errors
/// When its thread cannot be started.
pub(crate) fn watch_over(pulse: Pulse) -> io::Result<()> {
    let Some(within) = sd_notify::watchdog_enabled() else {
        return Ok(());
    };
    let watchdog = Builder::new().name("watchdog".into());
    watchdog.spawn(move || assure(&pulse, within / 4))?;
    Ok(())
}

/// A round that was done since the last look is a sign of life; a sequencer that sleeps is asked
/// for one in time.
fn assure(pulse: &Pulse, every: Duration) {
    let mut seen = None;
    loop {
        let rounds = pulse.rounds();
        if seen.replace(rounds) != Some(rounds) {
            tell(&[NotifyState::Watchdog]);
        }
        pulse.nudge();
        // There is nothing to wait for but time.
        never::<()>().recv_timeout(every).ok();
    }
}

fn tell(states: &[NotifyState<'_>]) {
    // Who is not told may start another beside this one, which then says that the log is in use.
    if let Err(error) = sd_notify::notify(states) {
        log::warn!("the service manager was not told: {error}");
    }
}
