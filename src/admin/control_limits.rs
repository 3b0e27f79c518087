//! Bounds and defaults of what is asked over the control socket.

/// The most bytes of a request.
pub const LINE_BYTES: usize = 4 << 10;
/// Members in a page, if nothing else is said.
pub const MEMBERS_DEFAULT: u64 = 100;
/// The most members in a page.
pub const MEMBERS_MOST: u64 = 1000;
/// Seconds that a drain takes at most, if nothing else is said.
pub const PATIENCE: u64 = 30;
/// The most seconds that it can be given: a day.
pub const PATIENCE_MOST: u64 = 86_400;
