//! What a run is to be: everything that was asked for, checked.

use std::time::Duration;

use orden::net::Address;

use super::server::Storage;
use super::stamp::Script;

/// What peers speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Dialect {
    /// orden's own: many messages in a frame
    Native,
    /// One frame and one ACK a message, as pyzmq peers do
    Binary,
    /// The same in JSON
    Json,
    /// libzmq alone: a ROUTER that forwards; no order number, ACK or log
    Bare,
}

impl Dialect {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Binary => "binary",
            Self::Json => "json",
            Self::Bare => "bare",
        }
    }

    pub(super) fn script(self) -> Script {
        match self {
            Self::Json => Script::Digits,
            Self::Native | Self::Binary | Self::Bare => Script::Bytes,
        }
    }
}

/// Who is measured.
#[derive(Clone, Debug)]
pub(super) enum Target {
    /// A broker that runs already, or several of one order: peers take them by turns.
    Running(Vec<Address>),
    /// A child, started for the run.
    Child(Storage),
}

/// One run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) dialect: Dialect,
    pub(super) target: Target,
    pub(super) subscribers: usize,
    pub(super) publishers: usize,
    /// Members that join and then read nothing.
    pub(super) stalled: usize,
    /// Whether all connections are encrypted.
    pub(super) curve: bool,
    /// Over all publishers.
    pub(super) messages: u64,
    pub(super) size: usize,
    /// Messages a second over all publishers; 0: as fast as they are confirmed.
    pub(super) rate: u64,
    /// The most messages of a publisher that are not confirmed; 0: as many as its dialect takes.
    pub(super) unconfirmed: u64,
    /// Messages in a frame, with [`Dialect::Bare`].
    pub(super) batch: usize,
    /// The most threads for subscribers, and for publishers.
    pub(super) threads: usize,
    /// How long nothing may be delivered before the run counts as failed.
    pub(super) patience: Duration,
    /// How long all of it may take.
    pub(super) deadline: Duration,
}

impl Plan {
    /// What is wrong with it, and what would be right.
    pub(super) fn check(&self) -> Result<(), String> {
        let least = self.dialect.script().least_size();
        if self.size < least {
            return Err(format!(
                "--size {}: a message carries its sender, its number and a time, which takes \
                 {least} bytes in this dialect",
                self.size
            ));
        }
        if self.publishers == 0 || self.subscribers == 0 || self.threads == 0 || self.batch == 0 {
            return Err("a run takes at least one of each".to_owned());
        }
        if self.publishers > usize::from(u16::MAX) {
            return Err("--publishers: at most 65535".to_owned());
        }
        if self.messages < self.publishers as u64 || self.messages > u64::from(u32::MAX) {
            return Err("--messages: at least one a publisher, at most 4294967295".to_owned());
        }
        if self.dialect == Dialect::Bare && self.stalled > 0 {
            return Err("--stalled: bare would wait for such a peer for ever".to_owned());
        }
        if self.dialect == Dialect::Bare && matches!(self.target, Target::Running(_)) {
            return Err("--address: bare measures a loop of its own".to_owned());
        }
        if self.dialect == Dialect::Bare && self.unconfirmed > 0 {
            return Err("--unconfirmed: bare confirms nothing".to_owned());
        }
        if self.dialect != Dialect::Bare && self.batch != 1 {
            return Err("--batch: for bare only; the native dialect packs by itself".to_owned());
        }
        Ok(())
    }

    /// How many messages this publisher has.
    pub(super) fn messages_of(&self, publisher: usize) -> u32 {
        let (publishers, publisher) = (self.publishers as u64, publisher as u64);
        let more = u64::from(publisher < self.messages % publishers);
        u32::try_from(self.messages / publishers + more).unwrap_or(u32::MAX)
    }

    /// Messages that all subscribers together get.
    pub(super) fn deliveries(&self) -> u64 {
        self.messages * self.subscribers as u64
    }

    /// When the log is synced, as the figures name it; `None` where it is not known.
    pub(super) fn sync(&self) -> Option<String> {
        match &self.target {
            Target::Running(_) | Target::Child(Storage::Bare) => None,
            Target::Child(Storage::BareSynced { .. }) => {
                Some(orden::broker::Sync::Always.to_string())
            }
            Target::Child(Storage::Memory) => Some("memory".to_owned()),
            Target::Child(Storage::Disk { sync, .. }) => Some(sync.to_string()),
        }
    }
}
