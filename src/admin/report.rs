//! What a look at a broker shows, in the words of its JSON.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde::Serialize;

use crate::commit::{Obstacle, Standing};
use crate::core::MemberStatus;
use crate::store::Histogram;
use crate::wire::{Dialect, Name, OrderNumber};

/// Messages by which a member that receives is called behind.
pub const BEHIND: u64 = 1000;

/// Everything that is counted. What a broker does not tell is left out.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// This program's version.
    pub version: &'static str,
    /// Which log the order lies in, in hexadecimal digits.
    pub log_id: String,
    /// Which start of a broker on it this is, from 1.
    pub epoch: u32,
    /// The number that the next message gets.
    pub next_order: u64,
    /// The oldest message that is kept.
    pub oldest_order: u64,
    /// Connections of the broker's own sockets.
    pub connections: u64,
    /// Files and connections that the process has open; left out if the system does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descriptors: Option<Descriptors>,
    /// How many members there are.
    pub members: Presence,
    /// How many members there can be.
    pub members_limit: u64,
    /// Messages of members that were ordered since the start.
    pub ordered: u64,
    /// Messages handed out, counted once for each member that gets them.
    pub delivered: u64,
    /// Publishes that were known already and confirmed again.
    pub repeated: u64,
    /// Times that sending went back to the first unacknowledged message.
    pub retransmitted: u64,
    /// What was refused, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// The log on its disk; nothing without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<LogSize>,
    /// How long syncs took, in seconds; nothing without a disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync: Option<Distribution>,
    /// How many messages batches had.
    pub batch: Distribution,
    /// Of several brokers: the position of the last record of the stream that was applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// Of several brokers: the names of those that serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub brokers: Option<Vec<String>>,
    /// Of several brokers: how this one stands with their stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<Stream>,
    /// Seconds since the start.
    pub uptime_seconds: f64,
    /// Members by presence and dialect.
    #[serde(skip)]
    pub kinds: Vec<(bool, Dialect, u64)>,
    /// Present members that are at least [`BEHIND`] messages behind.
    pub behind: u64,
    /// Lag of the present members that receive, in messages; `None` without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag: Option<Lag>,
}

/// Members by whether they are connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Presence {
    /// Connected.
    pub present: u64,
    /// Known, and not connected.
    pub away: u64,
}

/// Files and connections of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Descriptors {
    /// How many are open.
    pub open: u64,
    /// How many may be; the last few are kept from peers.
    pub limit: u64,
}

/// The log on its disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LogSize {
    /// Bytes of its files.
    pub bytes: u64,
    /// How many files hold messages.
    pub segments: u64,
    /// Bytes that are free on its disk.
    pub free_bytes: u64,
    /// Whether messages are refused because the disk is full.
    pub full: bool,
}

/// The stream that several brokers share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stream {
    /// Whether it is reached and has a leader.
    pub up: bool,
    /// Records that are known to be there and are not applied.
    pub behind: u64,
    /// Why this broker is not ready because of it; left out if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<String>,
}

impl Stream {
    pub(super) fn of(standing: Standing) -> Self {
        Self {
            up: standing.is_up,
            behind: standing.behind,
            obstacle: standing.obstacle.map(|obstacle| obstacle.to_string()),
        }
    }
}

/// Quantiles of the lag, in messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lag {
    /// Half of the members have at most this.
    pub p50: u64,
    /// Nine in ten.
    pub p90: u64,
    /// Ninety-nine in a hundred.
    pub p99: u64,
    /// The worst.
    pub max: u64,
}

/// How values are distributed since the start.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Distribution {
    /// How many there were.
    pub count: u64,
    /// What they add up to.
    pub sum: f64,
    /// Upper bounds, ascending, each with the number of values that lie above the one before; the
    /// last is infinite.
    #[serde(skip)]
    pub buckets: Vec<(f64, u64)>,
}

impl Distribution {
    /// What was counted in some unit, of which `unit` make one of what is shown.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "figures for people")]
    pub fn of(histogram: &Histogram, unit: f64) -> Self {
        let buckets: Vec<_> = (histogram.buckets())
            .map(|(bound, count)| (bound.map_or(f64::INFINITY, |it| it as f64 / unit), count))
            .collect();
        Self {
            count: buckets.iter().map(|(_, count)| count).sum(),
            sum: histogram.sum() as f64 / unit,
            buckets,
        }
    }
}

/// How far a member is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Its name; what is not UTF-8 in it is replaced.
    pub name: String,
    /// The same in base64, if something had to be replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_base64: Option<String>,
    /// What it last spoke.
    pub dialect: &'static str,
    /// Whether it is connected.
    pub present: bool,
    /// The first number it has not acknowledged.
    pub floor: u64,
    /// Messages from there to the end; none for a member that only publishes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag: Option<u64>,
    /// Messages that were sent to it and are not acknowledged.
    pub in_flight: u64,
}

impl Member {
    /// What is shown of a member while the next message gets the number `end`.
    #[must_use]
    pub fn of(status: &MemberStatus, end: OrderNumber) -> Self {
        let name = status.name.as_bytes();
        Self {
            name: String::from_utf8_lossy(name).into_owned(),
            name_base64: str::from_utf8(name).is_err().then(|| BASE64.encode(name)),
            dialect: dialect(status.dialect),
            present: status.present,
            floor: status.floor.0,
            lag: lag(status, end),
            in_flight: status.next.since(status.floor),
        }
    }
}

/// How many messages a member has not acknowledged; `None` if it only publishes.
pub(super) fn lag(status: &MemberStatus, end: OrderNumber) -> Option<u64> {
    status.receives.then(|| end.since(status.floor))
}

/// A dialect as labels and JSON name it.
#[must_use]
pub fn dialect(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Native => "native",
        Dialect::Binary => "binary",
        Dialect::Json => "json",
        Dialect::Raw => "raw",
    }
}

/// Which members are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembersQuery {
    /// In which order.
    pub sort: Sort,
    /// At most so many.
    pub limit: usize,
    /// Only those that come after this one.
    pub after: Option<Name>,
}

/// The order of a list of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// By name.
    Name,
    /// The largest lag first, then by name.
    Lag,
}

/// Some of the members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MembersPage {
    /// Those asked for.
    pub members: Vec<Member>,
    /// How many there are in all.
    pub total: usize,
    /// If there are more: what to ask for `after`. How that is written is for who shows it.
    #[serde(skip)]
    pub next: Option<Name>,
}

/// Why a broker is not ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unready {
    /// It reads its log, and listens once it has.
    NotListening,
    /// It was told to stop, or to drain, and takes nothing more in.
    Draining,
    /// The disk is full: messages are refused.
    DiskFull,
    /// A sync of the log has not returned for too long.
    SyncOverdue,
    /// So many descriptors are in use that the next peer is turned away.
    NoDescriptor,
    /// One of its threads has ended.
    ThreadGone,
    /// The stream that it shares with others, or its place in it, is not as it should be.
    Stream(Obstacle),
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stream(obstacle) => return obstacle.fmt(f),
            Self::NotListening => "not listening",
            Self::Draining => "draining",
            Self::DiskFull => "disk full",
            Self::SyncOverdue => "sync overdue",
            Self::NoDescriptor => "no descriptor left",
            Self::ThreadGone => "a thread has ended",
        })
    }
}
