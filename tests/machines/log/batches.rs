//! What tests of the log have in common: batches to write, and what a log holds.

use orden::core::{Chunk, Index, OpenBatch, Recovered, Write};
use orden::store::{Error, Failure, Identity, Log, LogReader, Options};
use orden::wire::batch::{HEADER_LEN, Header, Kind};
use orden::wire::record::{Flags, Record};
use orden::wire::sessions::{SequenceRun, SessionEntry};
use orden::wire::{ClientSequence, Dialect, Epoch, LogId, Name, OrderNumber};

/// The identity of the logs that tests begin.
pub(crate) const IDENTITY: Identity = Identity {
    log_id: LogId(0x1122_3344_5566_7788),
    secret: 0x99AA_BBCC_DDEE_FF00,
};

/// The sender of all messages.
pub(crate) const SENDER: &[u8] = b"ann";

/// Options with small segments.
pub(crate) fn options(segment_bytes: u64) -> Options {
    Options {
        segment_bytes,
        ..Options::new("unused")
    }
}

/// What message `order` says: its number, then bytes that differ from message to message.
pub(crate) fn payload(order: u64, length: usize) -> Vec<u8> {
    let mut payload = order.to_be_bytes().to_vec();
    payload.extend((0..length).map(|at| (order as usize * 31 + at * 7) as u8));
    payload
}

/// A batch of messages from `first` on, each with so many bytes of payload. The client sequence
/// of a message is its order number plus one.
pub(crate) fn chunk(first: u64, lengths: &[usize], epoch: u32) -> Chunk {
    chunk_of(IDENTITY.log_id, first, lengths, epoch)
}

/// The same for another log.
pub(crate) fn chunk_of(log_id: LogId, first: u64, lengths: &[usize], epoch: u32) -> Chunk {
    let mut open = OpenBatch::new(OrderNumber(first));
    for (order, &length) in (first..).zip(lengths) {
        open.push(Record {
            order: OrderNumber(0),
            client_sequence: ClientSequence(order + 1),
            time: 1_000_000 * order,
            flags: Flags::default(),
            sender: SENDER,
            payload: &payload(order, length),
        });
    }
    open.seal(log_id, Epoch(epoch)).unwrap()
}

/// A batch of session entries of this kind.
pub(crate) fn sessions_of(
    log_id: LogId,
    kind: Kind,
    next: u64,
    epoch: u32,
    entries: &[SessionEntry],
) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_LEN];
    for entry in entries {
        entry.encode(&mut bytes);
    }
    Header {
        kind,
        length: bytes.len(),
        count: entries.len() as u32,
        first: OrderNumber(next),
        log_id,
        epoch: Epoch(epoch),
        body_checksum: 0,
    }
    .seal(&mut bytes);
    bytes
}

/// The session of the sender, who has had all messages before `next` ordered, and remembers
/// where those from `from` on lie.
pub(crate) fn session(from: u64, next: u64) -> SessionEntry {
    let from = from.min(next.saturating_sub(1));
    let runs = (next > 0).then_some(SequenceRun {
        sequence: ClientSequence(from + 1),
        order: OrderNumber(from),
        count: (next - from) as u32,
    });
    SessionEntry {
        name: Name::new(SENDER).unwrap(),
        member: true,
        dialect: Dialect::Native,
        delimited: false,
        floor: OrderNumber(0),
        heard: 0,
        away: false,
        last_sequence: ClientSequence(next),
        digests: (from..next).map(|_| 0).collect(),
        runs: runs.into_iter().collect(),
    }
}

/// The snapshot that a sequencer would give for a roll before message `next`.
pub(crate) fn snapshot(log_id: LogId, next: u64, epoch: u32, entry: SessionEntry) -> Vec<u8> {
    sessions_of(log_id, Kind::Snapshot, next, epoch, &[entry])
}

/// What tests do with a log, in fewer words: each write is a group of its own.
pub(crate) trait Shortly {
    /// Appends a write.
    fn put(&mut self, write: Write) -> Result<(), Error>;
    /// Makes sure that so many bytes fit.
    fn fit(&mut self, bytes: usize, snapshot: impl FnOnce() -> Vec<u8>) -> Result<(), Error>;
}

impl Shortly for dyn Log + '_ {
    fn put(&mut self, write: Write) -> Result<(), Error> {
        let index = Index(self.committed().0 + 1);
        self.append(index, &write).map_err(|failure| match failure {
            Failure::Final(error) => error,
            Failure::Passing(shortage) => Error::NoSpace(shortage),
        })
    }

    fn fit(&mut self, bytes: usize, snapshot: impl FnOnce() -> Vec<u8>) -> Result<(), Error> {
        let mut snapshot = Some(snapshot);
        let mut made = Vec::new();
        let mut checkpoint = || {
            if let Some(snapshot) = snapshot.take() {
                made = snapshot();
            }
            made.clone()
        };
        loop {
            // A log goes over to its next segment while there is room for as much again.
            let room = self.make_room(bytes.div_ceil(2), &mut checkpoint)?;
            match room.shortage {
                _ if room.bytes >= bytes => return Ok(()),
                Some(shortage) => return Err(Error::NoSpace(shortage)),
                None => std::thread::yield_now(),
            }
        }
    }
}

/// Appends a batch and commits it.
pub(crate) fn write(log: &mut dyn Log, chunk: &Chunk, epoch: u32) {
    let log_id = Header::decode(chunk.bytes()).unwrap().log_id;
    let next = chunk.first().0;
    let snapshot = || snapshot(log_id, next, epoch, session(next, next));
    log.fit(chunk.bytes().len(), snapshot).unwrap();
    log.put(Write::Messages(chunk.clone())).unwrap();
    log.commit().unwrap();
}

/// A message as it is told apart: number and payload.
pub(crate) type Seen = (u64, Vec<u8>);

/// Everything from `from` on.
pub(crate) fn read_all(reader: &mut dyn LogReader, from: u64) -> Result<Vec<Seen>, Error> {
    let mut seen = Vec::new();
    let mut next = OrderNumber(from);
    loop {
        match reader.read(next) {
            Ok(chunk) => {
                assert!(chunk.first() <= next && next < chunk.end());
                for record in chunk.records().skip(next.since(chunk.first()) as usize) {
                    assert_eq!(record.order, next);
                    seen.push((next.0, record.payload.to_vec()));
                    next = next.plus(1);
                }
            }
            Err(Error::Beyond(end)) => {
                assert_eq!(end, next);
                return Ok(seen);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Asserts that these are the messages that [`chunk`] makes, from `from` up to `next`.
pub(crate) fn assert_messages(seen: &[Seen], from: u64, next: u64) {
    let orders: Vec<_> = seen.iter().map(|(order, _)| *order).collect();
    assert_eq!(orders, (from..next).collect::<Vec<_>>());
    for (order, text) in seen {
        assert_eq!(*text, payload(*order, text.len() - 8), "message {order}");
    }
}

/// The last client sequence that was ordered for the sender.
pub(crate) fn last_sequence(recovered: &Recovered) -> u64 {
    let mut sessions = recovered.sessions();
    sessions
        .find(|entry| entry.name.as_bytes() == SENDER)
        .map_or(0, |entry| entry.last_sequence.0)
}
