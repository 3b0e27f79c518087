//! Signals: the first leaves in good order, a second does not wait.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use orden::client::Clock;
use orden::core::Time;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator;

use super::{logging, threads};

/// Signals that come together are one: a ^C reaches every program in the foreground, and npm,
/// make and others pass it on as well.
const TOGETHER: Duration = Duration::from_millis(300);

/// What to do about signals, which are watched from the start: a process whose number is 1 is not
/// ended by one that it does not handle, however long it waits for its broker.
pub(crate) struct Signals(Arc<Mutex<Option<Course>>>);

/// What a program does that is told to end.
pub(crate) struct Course {
    /// Begins to leave, and does not wait for that.
    pub(crate) leave: Box<dyn FnMut() + Send>,
    /// Gives back what it holds, before the process ends at once.
    pub(crate) abandon: Box<dyn FnMut() + Send>,
}

impl Signals {
    /// From now on nobody is ended by a signal without a word.
    pub(crate) fn watch() -> Result<Self, String> {
        let ignored = ignored();
        let heeded = [SIGINT, SIGTERM, SIGHUP].into_iter();
        // What was ignored when we were started stays ignored: nohup relies on it.
        let heeded = heeded.filter(|signal| ignored & (1 << (signal - 1)) == 0);
        let signals = iterator::Signals::new(heeded);
        let signals = signals.map_err(|error| format!("cannot watch signals: {error}"))?;
        let course = Arc::new(Mutex::new(None));
        let shared = Arc::clone(&course);
        threads::spawn("signals", move || attend(signals, &shared))?;
        Ok(Self(course))
    }

    /// There is something to leave now.
    pub(crate) fn leave_by(&self, course: Course) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(course);
    }
}

fn attend(mut signals: iterator::Signals, course: &Mutex<Option<Course>>) {
    let clock = Clock::start();
    let mut first: Option<Time> = None;
    for _ in signals.forever() {
        let now = clock.now();
        let mut course = course.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(course) = course.as_mut() else {
            logging::say("orden-client: stopped before the broker has answered");
            logging::exit(3);
        };
        match first {
            None => {
                first = Some(now);
                (course.leave)();
            }
            Some(first) if now.since(first) < TOGETHER => {}
            Some(_) => {
                (course.abandon)();
                logging::exit(3);
            }
        }
    }
}

/// The signals that this process was started to ignore, a bit each, beginning with signal 1.
fn ignored() -> u64 {
    // Without /proc nothing is known to be ignored.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or_default()
}
