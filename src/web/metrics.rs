//! The figures as Prometheus reads them. They are written from one look at the broker, so that
//! no counter of a metrics library stands in a message's path.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeMetric, NoLabelSet, prometheus_text, text,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::admin::report::{self, Distribution, Status};

/// Prometheus' own text format.
pub(super) const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
/// What has become of it.
pub(super) const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Every metric there is, by the name a scrape shows, with what it means.
pub const METRICS: &[(&str, &str)] = &[
    ("orden_next_order", "The number that the next message gets"),
    ("orden_oldest_order", "The oldest message that is kept"),
    ("orden_epoch", "Which start of a broker on this log this is"),
    (
        "orden_messages_ordered_total",
        "Messages of members that were ordered",
    ),
    (
        "orden_messages_repeated_total",
        "Publishes that were known already and confirmed again",
    ),
    (
        "orden_messages_delivered_total",
        "Messages handed out, once for each member that gets them",
    ),
    (
        "orden_retransmissions_total",
        "Times that sending went back to the first unacknowledged message",
    ),
    ("orden_refused_total", "What was refused, by reason"),
    ("orden_members", "Members by presence and dialect"),
    ("orden_connections", "Connections of the broker's sockets"),
    (
        "orden_descriptors",
        "Files and connections that the process has open",
    ),
    ("orden_descriptors_limit", "How many it may have open"),
    ("orden_members_limit", "How many members there can be"),
    (
        "orden_members_behind",
        "Present members that are at least 1000 messages behind",
    ),
    (
        "orden_lag_messages",
        "Messages by which present members that receive are behind",
    ),
    ("orden_sync_seconds", "How long syncs of the log took"),
    ("orden_batch_messages", "How many messages batches had"),
    ("orden_log_bytes", "Bytes of the log's files"),
    (
        "orden_log_free_bytes",
        "Bytes that are free on the log's disk",
    ),
    (
        "orden_log_full",
        "1 while messages are refused because the disk is full",
    ),
    (
        "orden_brokers",
        "Brokers that serve the order, if there are several",
    ),
    (
        "orden_stream_position",
        "The position of the last record of the stream that was applied",
    ),
    (
        "orden_stream_behind",
        "Records of the stream that are known to be there and are not applied",
    ),
    (
        "orden_stream_up",
        "1 while the stream is reached and has a leader",
    ),
    (
        "orden_stream_obstacle",
        "1 while the stream keeps this broker from being ready, as /readyz says",
    ),
    ("orden_build_info", "Which program this is"),
];

/// The figures as text: Prometheus' own, or `OpenMetrics`.
///
/// # Panics
/// Never: a string takes all that is written to it.
#[must_use]
pub fn render(status: &Status, open_metrics: bool) -> String {
    let mut registry = Registry::with_prefix("orden");
    registry.register_collector(Box::new(Figures(status.clone())));
    let mut text = String::new();
    let encoded = if open_metrics {
        text::encode(&mut text, &registry)
    } else {
        prometheus_text::encode(&mut text, &registry)
    };
    encoded.expect("a string takes all");
    text
}

#[derive(Debug)]
struct Figures(Status);

impl Collector for Figures {
    fn encode(&self, encoder: DescriptorEncoder) -> fmt::Result {
        let status = &self.0;
        let mut out = Out(encoder);
        out.gauge("next_order", status.next_order)?;
        out.gauge("oldest_order", status.oldest_order)?;
        out.gauge("epoch", u64::from(status.epoch))?;
        out.counter("messages_ordered", status.ordered)?;
        out.counter("messages_repeated", status.repeated)?;
        out.counter("messages_delivered", status.delivered)?;
        out.counter("retransmissions", status.retransmitted)?;
        let reasons = status.refused.iter();
        out.family(
            "refused",
            MetricType::Counter,
            reasons,
            |(reason, count)| ([("reason", (*reason).to_owned())], *count),
        )?;
        let kinds = status.kinds.iter();
        out.family(
            "members",
            MetricType::Gauge,
            kinds,
            |(present, dialect, count)| {
                let presence = if *present { "present" } else { "away" };
                let labels = [
                    ("presence", presence.to_owned()),
                    ("dialect", report::dialect(*dialect).to_owned()),
                ];
                (labels, *count)
            },
        )?;
        out.gauge("connections", status.connections)?;
        if let Some(descriptors) = status.descriptors {
            out.gauge("descriptors", descriptors.open)?;
            out.gauge("descriptors_limit", descriptors.limit)?;
        }
        out.gauge("members_limit", status.members_limit)?;
        out.gauge("members_behind", status.behind)?;
        if let Some(lag) = status.lag {
            let quantiles = [
                ("0.5", lag.p50),
                ("0.9", lag.p90),
                ("0.99", lag.p99),
                ("1", lag.max),
            ];
            out.family(
                "lag_messages",
                MetricType::Gauge,
                &quantiles,
                |(quantile, lag)| ([("quantile", (*quantile).to_owned())], *lag),
            )?;
        }
        if let Some(sync) = &status.sync {
            out.histogram("sync_seconds", sync)?;
        }
        out.histogram("batch_messages", &status.batch)?;
        if let Some(log) = &status.log {
            out.gauge("log_bytes", log.bytes)?;
            out.gauge("log_free_bytes", log.free_bytes)?;
            out.gauge("log_full", u64::from(log.full))?;
        }
        out.stream(status)?;
        out.build()
    }
}

/// Writes metrics one after the other.
struct Out<'a>(DescriptorEncoder<'a>);

impl Out<'_> {
    fn gauge(&mut self, name: &str, value: u64) -> fmt::Result {
        self.one(name, &ConstGauge::new(value))
    }

    /// What there is only of several brokers.
    fn stream(&mut self, status: &Status) -> fmt::Result {
        if let Some(brokers) = &status.brokers {
            self.gauge("brokers", brokers.len() as u64)?;
        }
        if let Some(position) = status.position {
            self.gauge("stream_position", position)?;
        }
        if let Some(stream) = &status.stream {
            self.gauge("stream_behind", stream.behind)?;
            self.gauge("stream_up", u64::from(stream.up))?;
            self.gauge("stream_obstacle", u64::from(stream.obstacle.is_some()))?;
        }
        Ok(())
    }

    fn counter(&mut self, name: &str, value: u64) -> fmt::Result {
        self.one(name, &ConstCounter::new(value))
    }

    fn one(&mut self, name: &str, metric: &impl EncodeMetric) -> fmt::Result {
        let kind = metric.metric_type();
        let encoder = self.0.encode_descriptor(name, help(name), None, kind)?;
        metric.encode(encoder)
    }

    /// One value for each of some labels.
    fn family<const N: usize, T>(
        &mut self,
        name: &str,
        kind: MetricType,
        items: impl IntoIterator<Item = T>,
        split: impl Fn(T) -> ([(&'static str, String); N], u64),
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help(name), None, kind)?;
        for item in items {
            let (labels, value) = split(item);
            let encoder = family.encode_family(&labels)?;
            match kind {
                MetricType::Counter => ConstCounter::new(value).encode(encoder)?,
                _ => ConstGauge::new(value).encode(encoder)?,
            }
        }
        Ok(())
    }

    fn histogram(&mut self, name: &str, values: &Distribution) -> fmt::Result {
        let kind = MetricType::Histogram;
        let mut encoder = self.0.encode_descriptor(name, help(name), None, kind)?;
        encoder.encode_histogram::<NoLabelSet>(values.sum, values.count, &values.buckets, None)
    }

    fn build(&mut self) -> fmt::Result {
        let labels = vec![
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("libzmq", crate::net::Libzmq::linked().version()),
        ];
        self.one("build", &Info::new(labels))
    }
}

/// What a metric means, by its name without what is put around it.
fn help(name: &str) -> &'static str {
    let is = |full: &str| {
        let short = full.strip_prefix("orden_").unwrap_or(full);
        let short = short.strip_suffix("_total").unwrap_or(short);
        short.strip_suffix("_info").unwrap_or(short) == name
    };
    let found = METRICS.iter().find(|(full, _)| is(full));
    found.expect("each metric is in the list").1
}
