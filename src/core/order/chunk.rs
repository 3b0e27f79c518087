//! A stretch of the order as bytes: whole batches end to end, as they lie in the log and travel
//! in a native frame. Cloning shares the bytes.

use std::sync::Arc;

use crate::wire::batch::{self, Header, Kind};
use crate::wire::record::Record;
use crate::wire::{DecodeError, Epoch, LogId, OrderNumber};

/// One or more message batches without a gap between them. Never empty.
#[derive(Clone, Debug)]
pub struct Chunk {
    bytes: Arc<Vec<u8>>,
    first: OrderNumber,
    end: OrderNumber,
}

impl Chunk {
    /// Takes bytes that were checked with [`batch::verify`], batch by batch.
    ///
    /// # Errors
    /// The first thing that is wrong with the headers, or [`DecodeError::FieldOutOfRange`] if
    /// the batches do not follow one another.
    pub fn new(bytes: Vec<u8>) -> Result<Self, DecodeError> {
        let first = Header::decode(&bytes)?.first;
        let mut end = first;
        let mut at = 0;
        while at < bytes.len() {
            let header = Header::decode(&bytes[at..])?;
            if header.kind != Kind::Messages || header.first != end || header.count == 0 {
                return Err(DecodeError::FieldOutOfRange);
            }
            end = header.end();
            at += header.length;
        }
        Ok(Self {
            bytes: Arc::new(bytes),
            first,
            end,
        })
    }

    /// One chunk of some that follow one another.
    ///
    /// # Panics
    /// If there are none, or they do not follow one another.
    #[must_use]
    pub fn join(chunks: &[Self]) -> Self {
        if let [chunk] = chunks {
            return chunk.clone();
        }
        let bytes = chunks.iter().map(|chunk| chunk.bytes.as_slice());
        Self::new(bytes.collect::<Vec<_>>().concat()).expect("they follow one another")
    }

    /// The number of the first message.
    #[must_use]
    pub fn first(&self) -> OrderNumber {
        self.first
    }

    /// Adds the batches of the stretch that follows this one.
    pub(super) fn append(&mut self, following: &Self) {
        assert_eq!(self.end, following.first, "the order has no gaps");
        Arc::make_mut(&mut self.bytes).extend_from_slice(&following.bytes);
        self.end = following.end;
    }

    /// The number after the last message.
    #[must_use]
    pub fn end(&self) -> OrderNumber {
        self.end
    }

    /// The bytes, to share without copying.
    #[must_use]
    pub fn bytes(&self) -> &Arc<Vec<u8>> {
        &self.bytes
    }

    /// The messages, in order.
    ///
    /// # Panics
    /// If the bytes are not what [`Chunk::new`] was promised.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        batch::records(&self.bytes).map(|record| record.expect("a chunk holds checked records"))
    }
}

/// A batch while messages are still being added to it.
#[derive(Debug)]
pub struct OpenBatch {
    bytes: Vec<u8>,
    first: OrderNumber,
    count: u32,
}

impl OpenBatch {
    /// An empty batch whose first message gets the number `first`.
    #[must_use]
    pub fn new(first: OrderNumber) -> Self {
        Self {
            bytes: Vec::new(),
            first,
            count: 0,
        }
    }

    /// The number of the first message, there or to come.
    #[must_use]
    pub fn first(&self) -> OrderNumber {
        self.first
    }

    /// The number that the next message gets.
    #[must_use]
    pub fn next(&self) -> OrderNumber {
        self.first.plus(u64::from(self.count))
    }

    /// Bytes so far, the header included once there is a message.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it holds no message.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a message, whose `order` is set to [`next`](Self::next); returns that number.
    pub fn push(&mut self, mut record: Record<'_>) -> OrderNumber {
        if self.bytes.is_empty() {
            self.bytes.resize(batch::HEADER_LEN, 0);
        }
        record.order = self.next();
        record.encode(&mut self.bytes);
        self.count += 1;
        record.order
    }

    /// Closes the batch, if it has messages, and starts the next one.
    pub fn seal(&mut self, log_id: LogId, epoch: Epoch) -> Option<Chunk> {
        if self.is_empty() {
            return None;
        }
        let first = self.first;
        let mut open = std::mem::replace(self, Self::new(self.next()));
        // The next batch is likely to be as large as this one: spare it the growing.
        self.bytes.reserve(open.bytes.len());
        Header {
            kind: Kind::Messages,
            length: open.bytes.len(),
            count: open.count,
            first,
            log_id,
            epoch,
            body_checksum: 0,
        }
        .seal(&mut open.bytes);
        Some(Chunk {
            bytes: Arc::new(open.bytes),
            first,
            end: self.first,
        })
    }
}
