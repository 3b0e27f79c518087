//! When what was appended to the log is made safe.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What is synced less often than this is rather not synced.
const SYNC_PERIOD_MAX: Duration = Duration::from_hours(1);

/// When what was appended to the log is made safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sync {
    /// Before any peer sees a message or hears that it was taken.
    Always,
    /// At most this long after: a power cut may take back what was seen meanwhile.
    Every(Duration),
    /// When the system likes: a power cut may take back much of what was seen.
    Never,
}

/// Not a choice of [`Sync`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSync;

impl fmt::Display for BadSync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected always, a number of milliseconds up to an hour, or never")
    }
}

impl std::error::Error for BadSync {}

/// `always`, a number of milliseconds, or `never`.
impl FromStr for Sync {
    type Err = BadSync;

    fn from_str(text: &str) -> Result<Self, BadSync> {
        match text {
            "always" => Ok(Self::Always),
            "never" => Ok(Self::Never),
            _ => {
                let period = Duration::from_millis(text.parse().map_err(|_| BadSync)?);
                (period <= SYNC_PERIOD_MAX)
                    .then_some(Self::Every(period))
                    .ok_or(BadSync)
            }
        }
    }
}

/// As [`FromStr`] reads it.
impl fmt::Display for Sync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("always"),
            Self::Every(period) => write!(f, "{}", period.as_millis()),
            Self::Never => f.write_str("never"),
        }
    }
}
