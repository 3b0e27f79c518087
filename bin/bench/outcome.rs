//! What came out of a run: the figures, for people and for scripts.

use std::collections::HashSet;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use super::human::{self, as_float, seconds};
use super::plan::{Dialect, Plan};
use super::publishing;
use super::server::Usage;
use super::subscribing::{self, Tally};

/// The figures of a run.
pub(super) struct Outcome {
    pub(super) plan: Plan,
    /// Why it counts as failed.
    pub(super) failure: Option<String>,
    pub(super) tally: Tally,
    late: Histogram<u64>,
    confirm: Histogram<u64>,
    pub(super) first_publish: u64,
    pub(super) used: Usage,
    delivered: u64,
    duplicated: u64,
    damaged: u64,
    orders: HashSet<u64>,
    unconfirmed: u64,
    stalls: u64,
    /// What the first subscriber that lacks something lacks.
    missing: Option<String>,
    heard: usize,
}

impl Outcome {
    pub(super) fn new(plan: &Plan, failure: Option<String>, used: Usage) -> Self {
        Self {
            plan: plan.clone(),
            failure,
            tally: Tally::new(),
            late: subscribing::histogram(),
            confirm: subscribing::histogram(),
            first_publish: u64::MAX,
            used,
            delivered: 0,
            duplicated: 0,
            damaged: 0,
            orders: HashSet::new(),
            unconfirmed: 0,
            stalls: 0,
            missing: None,
            heard: 0,
        }
    }

    pub(super) fn subscribed(&mut self, report: &subscribing::Report) {
        self.tally.add(&report.tally);
        for check in &report.checks {
            self.heard += 1;
            self.delivered += check.delivered;
            self.duplicated += check.duplicated;
            self.damaged += check.damaged;
            self.orders.insert(check.order());
            let missing = check.missing(|publisher| self.plan.messages_of(publisher));
            if check.delivered < self.plan.messages && self.missing.is_none() {
                let lacks = self.plan.messages - check.delivered;
                self.missing = Some(match missing.first() {
                    Some((publisher, sequence)) => format!(
                        "a subscriber lacks {lacks} messages, the first that it still waits for \
                         is message {sequence} of publisher {publisher}"
                    ),
                    None => format!("a subscriber lacks {lacks} messages"),
                });
            }
        }
    }

    pub(super) fn published(&mut self, report: &publishing::Report) {
        self.first_publish = self.first_publish.min(report.first_publish);
        self.unconfirmed += report.unconfirmed;
        self.stalls += report.stalls;
        self.late
            .add(&report.late)
            .expect("both have the same bounds");
        let confirm = self.confirm.add(&report.confirm);
        confirm.expect("both have the same bounds");
    }

    /// Judges, once all reports are in.
    pub(super) fn finish(&mut self) {
        let problems = [
            self.failure.take(),
            self.missing.take(),
            (self.heard < self.plan.subscribers).then(|| "a subscriber has failed".to_owned()),
            (self.orders() > 1)
                .then(|| format!("the subscribers saw {} different orders", self.orders())),
            (self.duplicated > 0)
                .then(|| format!("{} messages were delivered twice", self.duplicated)),
            (self.damaged > 0).then(|| format!("{} messages were not as sent", self.damaged)),
            (self.unconfirmed > 0)
                .then(|| format!("{} messages were not confirmed", self.unconfirmed)),
        ];
        let problems: Vec<_> = problems.into_iter().flatten().collect();
        self.failure = (!problems.is_empty()).then(|| problems.join("; "));
    }

    /// From the first publish to the last delivery at the last subscriber.
    pub(super) fn seconds(&self) -> f64 {
        seconds(self.tally.last_delivery.saturating_sub(self.first_publish))
    }

    pub(super) fn deliveries_per_second(&self) -> f64 {
        rate(self.delivered, self.seconds())
    }

    /// Microseconds within which this share of the deliveries came.
    pub(super) fn latency(&self, percentile: f64) -> f64 {
        micros(self.tally.latency.value_at_percentile(percentile))
    }

    /// Microseconds within which this share of the messages was confirmed; none where nothing is.
    pub(super) fn confirmation(&self, percentile: f64) -> Option<f64> {
        let is_confirmed = self.plan.dialect != Dialect::Bare && !self.confirm.is_empty();
        is_confirmed.then(|| micros(self.confirm.value_at_percentile(percentile)))
    }

    /// Milliseconds, the longest that a subscriber was delivered nothing.
    pub(super) fn silence(&self) -> f64 {
        round(as_float(self.tally.silence) / 1e6, 1)
    }

    /// Nanoseconds of the child's processor time for each delivery.
    pub(super) fn processor_a_delivery(&self) -> f64 {
        as_float(self.used.processor) / as_float(self.delivered.max(1))
    }

    /// How many different orders the subscribers saw.
    pub(super) fn orders(&self) -> usize {
        self.orders.len()
    }

    fn lost(&self) -> u64 {
        self.plan.deliveries().saturating_sub(self.delivered)
    }

    /// One object, for scripts.
    pub(super) fn json(&self) -> Value {
        let plan = &self.plan;
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        put("dialect", json!(plan.dialect.name()));
        put("publishers", json!(plan.publishers));
        put("subscribers", json!(plan.subscribers));
        put("stalled", json!(plan.stalled));
        put("messages", json!(plan.messages));
        put("size", json!(plan.size));
        put("rate", json!(plan.rate));
        put("most_unconfirmed", json!(plan.unconfirmed));
        put("curve", json!(plan.curve));
        put("batch", json!(plan.batch));
        put("sync", json!(plan.sync()));
        put("seconds", json!(round(self.seconds(), 6)));
        put(
            "deliveries_per_second",
            json!(self.deliveries_per_second().round()),
        );
        put("p50_us", json!(self.latency(50.0)));
        put("p99_us", json!(self.latency(99.0)));
        put("p999_us", json!(self.latency(99.9)));
        put("max_us", json!(self.latency(100.0)));
        put("longest_silence_ms", json!(self.silence()));
        put("confirm_p50_us", json!(self.confirmation(50.0)));
        put("confirm_p99_us", json!(self.confirmation(99.0)));
        put("orders", json!(self.orders()));
        put("lost", json!(self.lost()));
        put("duplicated", json!(self.duplicated));
        put("damaged", json!(self.damaged));
        put("unconfirmed", json!(self.unconfirmed));
        put("stalls", json!(self.stalls));
        put(
            "late_p99_us",
            json!(micros(self.late.value_at_percentile(99.0))),
        );
        put(
            "broker_cpu_ns_per_delivery",
            json!(round(self.processor_a_delivery(), 1)),
        );
        let writes = as_float(self.used.writes) / as_float(plan.messages);
        put("broker_writes_per_message", json!(round(writes, 4)));
        put("broker_rss_early", json!(self.used.early_memory));
        put("broker_rss", json!(self.used.memory));
        put("broker_peak_bytes", json!(self.used.peak_memory));
        put("failure", json!(self.failure));
        Value::Object(fields)
    }

    /// Some lines, for people.
    pub(super) fn table(&self) -> String {
        let plan = &self.plan;
        let mut lines = vec![("run", self.title()), ("load", self.load())];
        lines.push((
            "throughput",
            format!(
                "{} deliveries/s, {} messages/s, in {:.2} s",
                human::count(self.deliveries_per_second()),
                human::count(rate(plan.messages, self.seconds())),
                self.seconds()
            ),
        ));
        let latency = |percentile| human::micros(self.latency(percentile));
        lines.push((
            "latency",
            format!(
                "p50 {}, p99 {}, p99.9 {}, max {}",
                latency(50.0),
                latency(99.0),
                latency(99.9),
                latency(100.0)
            ),
        ));
        if let (Some(half), Some(most)) = (self.confirmation(50.0), self.confirmation(99.0)) {
            let (half, most) = (human::micros(half), human::micros(most));
            lines.push(("confirmed", format!("p50 {half}, p99 {most}")));
        }
        let silence = format!(
            "{} ms between two deliveries of a subscriber",
            self.silence()
        );
        lines.push(("at most", silence));
        if plan.rate > 0 {
            let late = human::micros(micros(self.late.value_at_percentile(99.0)));
            lines.push((
                "publishers",
                format!("p99 {late} behind their time, which is counted"),
            ));
        }
        lines.push((
            "checked",
            format!(
                "{} order{}, {} lost, {} duplicated",
                self.orders(),
                if self.orders() == 1 { "" } else { "s" },
                self.lost(),
                self.duplicated
            ),
        ));
        if self.used.peak_memory > 0 {
            lines.push((
                "broker",
                format!(
                    "{:.0} ns of processor time a delivery; memory: {} after a tenth of the run, {} at \
                     its end, {} at most",
                    self.processor_a_delivery(),
                    human::bytes(self.used.early_memory),
                    human::bytes(self.used.memory),
                    human::bytes(self.used.peak_memory)
                ),
            ));
        }
        if let Some(failure) = &self.failure {
            lines.push(("FAILED", failure.clone()));
        }
        let line = |(name, text): (&str, String)| format!("{name:<12}{text}\n");
        lines.into_iter().map(line).collect()
    }

    /// What was measured, in words.
    pub(super) fn title(&self) -> String {
        let plan = &self.plan;
        let curve = if plan.curve { ", encrypted" } else { "" };
        let name = format!("{}{curve}", plan.dialect.name());
        match (plan.dialect, plan.sync().as_deref()) {
            (Dialect::Bare, _) if plan.batch > 1 => format!("{name}, {} a frame", plan.batch),
            (Dialect::Bare, _) => format!("{name}, one message a frame"),
            (_, None) => format!("{name}, a broker that was there"),
            (_, Some("memory")) => format!("{name}, in memory"),
            (_, Some("always")) => format!("{name}, synced before delivery"),
            (_, Some("never")) => format!("{name}, on disk, never synced"),
            (_, Some(ms)) => format!("{name}, synced within {ms} ms"),
        }
    }

    /// Who sent what to whom, in words.
    pub(super) fn load(&self) -> String {
        let plan = &self.plan;
        let speed = match (plan.rate, plan.unconfirmed) {
            (0, 0) => "as fast as they go".to_owned(),
            (0, 1) => "each once the one before is confirmed".to_owned(),
            (0, most) => format!("at most {most} of each unconfirmed"),
            (rate, _) => format!("{rate} a second"),
        };
        let stalled = match plan.stalled {
            0 => String::new(),
            count => format!(", {count} that never read"),
        };
        format!(
            "{} to {}{stalled}, {} messages of {}, {speed}",
            human::plural(plan.publishers, "publisher"),
            human::plural(plan.subscribers, "subscriber"),
            human::count(as_float(plan.messages)),
            human::bytes(plan.size as u64),
        )
    }
}

fn micros(nanoseconds: u64) -> f64 {
    round(as_float(nanoseconds) / 1e3, 1)
}

fn rate(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        as_float(count) / seconds
    } else {
        0.0
    }
}

fn round(value: f64, digits: i32) -> f64 {
    let factor = 10_f64.powi(digits);
    (value * factor).round() / factor
}
