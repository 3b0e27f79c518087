//! What a comparison comes to, for people and for scripts.

use std::path::Path;

use serde_json::{Value, json};

use super::course::{Course, Figures, Key};
use super::thresholds::{Bound, Threshold, thresholds};
use crate::bench::error::Error;
use crate::bench::human;
use crate::bench::plan::Plan;
use crate::bench::plot::{Bar, draw_bars};

/// What one course has given, a figure a round.
pub(super) struct Series {
    pub(super) course: Course,
    pub(super) rounds: Vec<Figures>,
}

/// Medians, and what they say about the thresholds.
pub(crate) struct Verdict {
    series: Vec<Series>,
    thresholds: Vec<Threshold>,
    /// Microseconds.
    sync: f64,
    rounds: usize,
}

impl Verdict {
    pub(super) fn new(series: Vec<Series>, syncs: &[f64], rounds: usize) -> Self {
        let sync = median(syncs.iter().copied());
        let of = |key| {
            series
                .iter()
                .find(|one| one.course.key == key)
                .map(Series::median)
        };
        Self {
            thresholds: thresholds(of),
            series,
            sync,
            rounds,
        }
    }

    pub(crate) fn all_met(&self) -> bool {
        self.thresholds.iter().all(Threshold::is_met)
    }

    pub(crate) fn table(&self) -> String {
        let processors = std::thread::available_parallelism().map_or(0, usize::from);
        let head = format!(
            "Medians of {}, in turn, on {}; one sync after the other takes {}\n\n\
             {:<36}{:>14}{:>22}{:>11}{:>11}{:>11}{:>12}\n",
            human::plural(self.rounds, "round"),
            human::plural(processors, "processor"),
            human::micros(self.sync),
            "",
            "deliveries/s",
            "least – most",
            "p50",
            "p99",
            "silence",
            "broker CPU"
        );
        let runs = self.series.iter().map(Series::line);
        let between = format!("\n{:<48}{:>8}{:>10}\n", "", "is", "must be");
        let thresholds = self.thresholds.iter().map(line_of);
        [head]
            .into_iter()
            .chain(runs)
            .chain([between])
            .chain(thresholds)
            .collect()
    }

    pub(crate) fn json(&self) -> Value {
        let runs = self.series.iter().map(|one| {
            let median = one.median();
            let rounds = one
                .rounds
                .iter()
                .map(|round| round.deliveries_per_second.round());
            json!({
                "name": one.course.name,
                "dialect": one.course.plan.dialect.name(),
                "sync": one.course.plan.sync(),
                "subscribers": one.course.plan.subscribers,
                "rate": one.course.plan.rate,
                "publishers": one.course.plan.publishers,
                "most_unconfirmed": one.course.plan.unconfirmed,
                "batch": one.course.plan.batch,
                "deliveries_per_second": median.deliveries_per_second.round(),
                "rounds": rounds.collect::<Vec<_>>(),
                "p50_us": median.p50,
                "p99_us": median.p99,
                "longest_silence_ms": median.silence,
                "broker_cpu_ns_per_delivery": median.processor,
            })
        });
        let thresholds = self.thresholds.iter().map(|threshold| {
            let (bound, limit) = match threshold.bound {
                Bound::AtLeast(limit) => ("at_least", limit),
                Bound::AtMost(limit) => ("at_most", limit),
            };
            json!({
                "name": threshold.name,
                "value": (threshold.value * 1e3).round() / 1e3,
                bound: limit,
                "met": threshold.is_met(),
            })
        });
        json!({
            "rounds": self.rounds,
            "sync_us": self.sync,
            "runs": runs.collect::<Vec<_>>(),
            "thresholds": thresholds.collect::<Vec<_>>(),
            "met": self.all_met(),
        })
    }

    /// The throughputs side by side.
    pub(crate) fn draw(&self, file: &Path) -> Result<(), Error> {
        let is_unpaced = |plan: &Plan| plan.rate == 0 && plan.unconfirmed == 0;
        let unpaced = (self.series.iter()).filter(|one| is_unpaced(&one.course.plan));
        let mut bars: Vec<_> = unpaced
            .map(|one| {
                let value = one.median().deliveries_per_second;
                Bar {
                    name: one.course.name.to_owned(),
                    value,
                    words: format!("{}/s", human::count(value)),
                    is_reference: matches!(one.course.key, Key::Bare | Key::BareBatch),
                }
            })
            .collect();
        bars.sort_by(|one, other| other.value.total_cmp(&one.value));
        let subtitle = format!(
            "deliveries a second; messages of 120 bytes, 8 subscribers if not said otherwise; \
             medians of {}",
            human::plural(self.rounds, "round")
        );
        let title = "Ordered, acknowledged and synced, beside libzmq alone";
        draw_bars(title, &subtitle, &bars, file)
    }
}

fn line_of(threshold: &Threshold) -> String {
    let bound = match threshold.bound {
        Bound::AtLeast(least) => format!("≥ {least:.1}"),
        Bound::AtMost(most) => format!("≤ {most:.1}"),
    };
    let verdict = if threshold.is_met() { "met" } else { "NOT MET" };
    let Threshold { name, value, .. } = threshold;
    format!("{name:<48}{value:>8.2}{bound:>10}   {verdict}\n")
}

impl Series {
    fn line(&self) -> String {
        let median = self.median();
        let speeds = || self.rounds.iter().map(|round| round.deliveries_per_second);
        let least = human::count(speeds().fold(f64::MAX, f64::min));
        let most = human::count(speeds().fold(0.0, f64::max));
        format!(
            "{:<36}{:>14}{:>22}{:>11}{:>11}{:>11}{:>12}\n",
            self.course.name,
            human::count(median.deliveries_per_second),
            format!("{least} – {most}"),
            human::micros(median.p50),
            human::micros(median.p99),
            human::micros(median.silence * 1e3),
            format!("{:.0} ns", median.processor),
        )
    }

    /// The median of each figure by itself.
    fn median(&self) -> Figures {
        let of = |figure: fn(&Figures) -> f64| median(self.rounds.iter().map(figure));
        Figures {
            deliveries_per_second: of(|round| round.deliveries_per_second),
            p50: of(|round| round.p50),
            p99: of(|round| round.p99),
            silence: of(|round| round.silence),
            processor: of(|round| round.processor),
        }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.len().saturating_sub(1) / 2, values.len() / 2);
    match (values.get(low), values.get(high)) {
        (Some(low), Some(high)) => f64::midpoint(*low, *high),
        _ => f64::NAN,
    }
}
