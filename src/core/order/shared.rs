//! The order of several brokers: taking records of their stream, and saying in the log how far
//! they are applied.

use super::cluster::{Broker, Cluster, Skip, Taken};
use super::{Member, Order, Rules};
use crate::wire::position_mark::PositionMark;
use crate::wire::stream_record::{self, Founding, Header};
use crate::wire::{DecodeError, Epoch, Name, Position};

impl Order {
    /// Goes on as the order of several brokers, where the log's last mark says.
    pub fn share(&mut self, mark: Option<PositionMark>) {
        let epoch = mark.as_ref().map_or(Epoch(0), |mark| mark.epoch);
        self.journal.begin_epoch(epoch);
        let mut cluster = Cluster::new(mark);
        if let Some(founding) = &cluster.founding {
            self.rules = Rules::of(founding);
        }
        for (id, member) in self.members.iter() {
            if let Some(seat) = member.seating.seat {
                cluster.seats.insert(seat, id);
            }
        }
        self.cluster = Some(Box::new(cluster));
    }

    /// The bounds that all brokers share.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The last position that was applied, and the chain up to there.
    #[must_use]
    pub fn applied(&self) -> (Position, u64) {
        let cluster = self.cluster.as_ref();
        cluster.map_or_else(Default::default, |cluster| {
            (cluster.position, cluster.chain())
        })
    }

    /// The checksum of the record at the last position that was applied.
    #[must_use]
    pub fn applied_checksum(&self) -> u32 {
        self.cluster.as_ref().map_or(0, |cluster| cluster.checksum)
    }

    /// What all brokers share, once the order has begun.
    #[must_use]
    pub fn founding(&self) -> Option<&Founding> {
        self.cluster.as_ref()?.founding.as_ref()
    }

    /// All brokers, by name.
    pub fn brokers(&self) -> impl Iterator<Item = (&Name, &Broker)> {
        let brokers = self.cluster.as_ref().map(|cluster| cluster.brokers.iter());
        brokers.into_iter().flatten()
    }

    /// The broker of a name.
    #[must_use]
    pub fn broker(&self, name: &Name) -> Option<&Broker> {
        self.cluster.as_ref()?.brokers.get(name)
    }

    /// Takes the next record of the stream, and judges whether it counts.
    ///
    /// # Panics
    /// If several brokers do not share this order.
    pub fn take_record<'a>(&mut self, position: Position, record: &'a [u8]) -> Taken<'a> {
        let log_id = self.log_id();
        let cluster = self.cluster.as_mut().expect("the order is shared");
        let decoded = stream_record::decode(record);
        let checksum = stream_record::fingerprint(record);
        cluster.advance(position, checksum, record.len());
        let (header, proposals) = match decoded {
            Ok(decoded) => decoded,
            Err(DecodeError::UnexpectedKind | DecodeError::UnsupportedVersion)
                if Header::decode(record).is_ok_and(|header| header.log_id == log_id) =>
            {
                return Taken::Newer;
            }
            Err(error) => return Taken::Skipped(None, Skip::Malformed(error)),
        };
        if header.log_id != log_id {
            return Taken::Skipped(None, Skip::Foreign);
        }
        if let Some(differs) = cluster.compare(&header) {
            return Taken::Differs(differs);
        }
        match cluster.judge(&header, proposals.first()) {
            Some(skip) => Taken::Skipped(Some(header), skip),
            None => Taken::Counts(header, proposals),
        }
    }

    /// A record was executed: its messages are a batch of their own.
    pub fn end_record(&mut self) {
        self.journal.end_record();
    }

    /// Says in the log how far the stream is applied, if that has changed.
    pub(super) fn mark_position(&mut self) {
        let epoch = self.epoch();
        let Some(cluster) = &mut self.cluster else {
            return;
        };
        if cluster.marked == Some(cluster.position) && cluster.changed.is_empty() {
            return;
        }
        cluster.marked = Some(cluster.position);
        let mut mark = cluster.mark();
        mark.epoch = epoch;
        mark.whole = cluster.snapshots.take_unmarked();
        for name in std::mem::take(&mut cluster.changed) {
            let id = self.members.by_name(name.as_bytes());
            let member = id.and_then(|id| self.members.get(id));
            mark.seats.extend(member.and_then(Member::seat_entry));
        }
        self.journal.mark(&mark);
    }

    /// Adds all of it behind a snapshot of the sessions.
    pub(super) fn mark_snapshot(&self, snapshot: &mut Vec<u8>) {
        if let Some(mark) = self.whole_mark() {
            snapshot.extend(self.journal.encode_mark(&mark));
        }
    }
}

impl Rules {
    /// The bounds that a founding gives.
    #[must_use]
    pub fn of(founding: &Founding) -> Self {
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            message_bytes: size(founding.message_bytes),
            publish_window: founding.publish_window,
            name_bytes: size(founding.name_bytes.into()),
            members: size(founding.members.into()),
        }
    }
}
