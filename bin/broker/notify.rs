//! Tells the service manager how it goes, if one has started this and wants to know
//! (`NOTIFY_SOCKET`, `sd_notify(3)`).

use sd_notify::NotifyState;

/// The broker listens, and where.
pub(crate) fn ready(endpoints: &[String]) {
    let status = format!("listening on {}", endpoints.join(", "));
    tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
}

/// The broker takes nothing more in.
pub(crate) fn stopping() {
    let status = "finishing what was accepted";
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

fn tell(states: &[NotifyState<'_>]) {
    // Who is not told may start another beside this one, which then says that the log is in use.
    if let Err(error) = sd_notify::notify(states) {
        log::warn!("the service manager was not told: {error}");
    }
}
