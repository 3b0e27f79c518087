//! A frame of deliveries: its bytes as they came, and which of its messages are new.

use std::fmt;
use std::ops::Range;

use super::transport::Frame;
use crate::wire::batch::{self, Records};
use crate::wire::record::Record;
use crate::wire::{DecodeError, OrderNumber};

/// Messages that are new, in order, without a gap to those before.
pub struct Deliveries {
    frame: Frame,
    numbers: Range<OrderNumber>,
}

impl Deliveries {
    /// The records of `frame` that have these numbers.
    pub(super) fn new(frame: Frame, numbers: Range<OrderNumber>) -> Self {
        Self { frame, numbers }
    }

    /// The numbers of the messages.
    #[must_use]
    pub fn numbers(&self) -> Range<OrderNumber> {
        self.numbers.clone()
    }

    /// Bytes that are kept for them.
    #[must_use]
    pub fn frame_len(&self) -> usize {
        self.frame.len()
    }

    /// Checks every byte, which costs more than reading it: TCP has checked it before, more
    /// weakly.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self) -> Result<(), DecodeError> {
        let mut rest: &[u8] = &self.frame;
        while !rest.is_empty() {
            rest = &rest[batch::verify(rest)?.length..];
        }
        Ok(())
    }

    /// The messages, borrowed from the frame.
    #[must_use]
    pub fn records(&self) -> NewRecords<'_> {
        self.records_from(self.numbers.start)
    }

    /// Those from `next` on.
    pub(super) fn records_from(&self, next: OrderNumber) -> NewRecords<'_> {
        NewRecords {
            records: batch::records(&self.frame),
            next,
            end: self.numbers.end,
        }
    }
}

impl fmt::Debug for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Deliveries({:?})", self.numbers)
    }
}

/// See [`Deliveries::records`]. An error means that the broker has sent nonsense; nothing comes
/// after it.
#[derive(Clone, Debug)]
pub struct NewRecords<'a> {
    records: Records<'a>,
    next: OrderNumber,
    end: OrderNumber,
}

impl<'a> Iterator for NewRecords<'a> {
    type Item = Result<Record<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.end {
            return None;
        }
        loop {
            match self.records.next() {
                Some(Ok(record)) if record.order < self.next => {}
                Some(Ok(record)) if record.order == self.next => {
                    self.next = record.order.plus(1);
                    return Some(Ok(record));
                }
                Some(Err(error)) => return Some(self.fail(error)),
                // Their headers have promised something else.
                Some(Ok(_)) | None => return Some(self.fail(DecodeError::FieldOutOfRange)),
            }
        }
    }
}

impl<'a> NewRecords<'a> {
    fn fail(&mut self, error: DecodeError) -> Result<Record<'a>, DecodeError> {
        self.next = self.end;
        Err(error)
    }
}
