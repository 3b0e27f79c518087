//! A bar that shows how far a run is: on a terminal, and nowhere else.

use indicatif::{ProgressBar, ProgressStyle};

use super::plan::Plan;

/// A bar; hidden where no terminal would show it.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar for one run; `what` stands before it.
    pub(super) fn new(plan: &Plan, what: &str) -> Self {
        Self::of(plan.deliveries(), what)
    }

    /// A bar that is full at `all`; `what` stands before it.
    pub(super) fn of(all: u64, what: &str) -> Self {
        // Draws to stderr, and only if that is a terminal.
        let bar = ProgressBar::new(all);
        let template = "{msg} {wide_bar:.cyan/blue} {human_pos} of {human_len} {per_sec}";
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(what.to_owned());
        Self(bar)
    }

    /// Shows that it is so far.
    pub(super) fn show(&self, position: u64) {
        self.0.set_position(position);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
