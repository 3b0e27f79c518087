//! How many files and connections this process may still open. The last few are kept from peers:
//! the log, operators and probes need some, and libzmq would take no rest over a connection that it
//! cannot accept.

use std::os::fd::RawFd;

use rustix::io::{Errno, dup};
use rustix::process::{Resource, getrlimit};

/// Descriptors that peers do not get.
const RESERVE: u64 = 8;
/// From this part on, in percent, they are nearly used up.
const MANY: u64 = 80;

/// How many there may be at a time; `None`: without limit.
pub(crate) fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// How many there are now, as far as the system tells.
pub(crate) fn open() -> Option<u64> {
    let listed = std::fs::read_dir("/proc/self/fd").ok()?;
    // The listing has one itself.
    Some((listed.count() as u64).saturating_sub(1))
}

/// Whether what was opened as this number has taken one of those that are kept. The system gives
/// the lowest number that is free.
pub(crate) fn is_reserved(number: RawFd) -> bool {
    limit().is_some_and(|limit| used(number) + RESERVE > limit)
}

/// Whether it has taken one of the last fifth: how many are used, and of how many.
pub(crate) fn nearly_used_up(number: RawFd) -> Option<(u64, u64)> {
    let limit = limit()?;
    let used = used(number);
    (used.saturating_mul(100) >= limit.saturating_mul(MANY)).then_some((used, limit))
}

/// Whether the next peer would be turned away.
pub(crate) fn are_scarce() -> bool {
    match dup(std::io::stdin()) {
        Ok(copy) => is_reserved(std::os::fd::AsRawFd::as_raw_fd(&copy)),
        Err(error) => error == Errno::MFILE || error == Errno::NFILE,
    }
}

fn used(number: RawFd) -> u64 {
    u64::try_from(number).unwrap_or_default() + 1
}
