//! What tests of the log have in common: batches to write, and what a log holds.

use orden::core::{Chunk, OpenBatch, Recovered};
use orden::store::{Error, Identity, Log, LogReader, Options};
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
    open.seal(OrderNumber(first), log_id, Epoch(epoch)).unwrap()
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
        durable: OrderNumber(next),
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
        last_sequence: ClientSequence(next),
        digests: (from..next).map(|_| 0).collect(),
        runs: runs.into_iter().collect(),
    }
}

/// The snapshot that a sequencer would give for a roll before message `next`.
pub(crate) fn snapshot(log_id: LogId, next: u64, epoch: u32, entry: SessionEntry) -> Vec<u8> {
    sessions_of(log_id, Kind::Snapshot, next, epoch, &[entry])
}

/// Rolls if so many bytes do not fit.
pub(crate) fn make_room(
    log: &mut dyn Log,
    bytes: usize,
    snapshot: impl FnOnce() -> Vec<u8>,
) -> Result<(), Error> {
    if log.room() < bytes {
        while !log.can_roll()? {
            std::thread::yield_now();
        }
        log.roll(&snapshot())?;
    }
    Ok(())
}

/// Appends a batch and syncs it.
pub(crate) fn write(log: &mut dyn Log, chunk: &Chunk, epoch: u32) {
    let (log_id, next) = (log.log_id(), chunk.first().0);
    let snapshot = || snapshot(log_id, next, epoch, session(next, next));
    make_room(log, chunk.bytes().len(), snapshot).unwrap();
    log.append(chunk).unwrap();
    log.sync().unwrap();
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
