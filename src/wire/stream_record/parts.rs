//! The larger parts of proposals.

use crate::wire::cursor::{Cursor, put_name};
use crate::wire::{DecodeError, Dialect, LogId, Name, OrderNumber, Position, PublicKey};

/// What all brokers must share from the first record on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founding {
    /// Which order this is.
    pub log_id: LogId,
    /// Makes this log's digests and marks unlike those of others.
    pub secret: u64,
    /// The most bytes of one message.
    pub message_bytes: u64,
    /// The most messages in a publish frame, and that are remembered of a publisher.
    pub publish_window: u32,
    /// The most bytes of a name.
    pub name_bytes: u32,
    /// The most members, present or away.
    pub members: u32,
    /// Bytes of records after which a snapshot is due.
    pub snapshot_bytes: u64,
    /// The level of what follows.
    pub level: u32,
    /// Tells this stream from others of the same order, earlier ones.
    pub stream: u64,
    /// Whether the order began elsewhere: parts of its state follow, by which brokers begin.
    pub is_seeded: bool,
}

/// A part of the order's state as it is at a position: parts that follow one another replace all
/// records up to there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// The position.
    pub of: Position,
    /// Which part it is, from 0.
    pub index: u32,
    /// How many there are.
    pub count: u32,
    /// That of the whole state.
    pub digest: u64,
    /// The part's bytes.
    pub bytes: &'a [u8],
}

/// A peer that takes a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sitter {
    /// Where it is to sit.
    pub seat: u32,
    /// The peer's process; 0: it does not say.
    pub life: u64,
    /// That process's count of its hellos: a lower one is out of date.
    pub attempt: u32,
    /// The name.
    pub name: Name,
    /// What it speaks.
    pub dialect: Dialect,
    /// Whether it puts an empty frame before its messages.
    pub delimited: bool,
    /// Whether its session ends with its connection.
    pub transient: bool,
    /// Whether the proposer's list gives it the name, whoever had it before.
    pub owned: bool,
    /// Where a new member's deliveries begin; `None`: right behind the notice of its joining.
    pub start: Option<OrderNumber>,
    /// The key that it has proved to have.
    pub key: Option<PublicKey>,
}

/// How far a member is, and how it is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor {
    /// Where it sits.
    pub seat: u32,
    /// What it last spoke.
    pub dialect: Dialect,
    /// Whether it puts an empty frame before its messages.
    pub delimited: bool,
    /// The first number that it has not acknowledged.
    pub floor: OrderNumber,
    /// When it was last heard, in microseconds since 1970 (UTC).
    pub heard: u64,
}

impl Founding {
    pub(in crate::wire) fn encode(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.log_id.0.to_be_bytes());
        into.extend_from_slice(&self.secret.to_be_bytes());
        into.extend_from_slice(&self.message_bytes.to_be_bytes());
        into.extend_from_slice(&self.publish_window.to_be_bytes());
        into.extend_from_slice(&self.name_bytes.to_be_bytes());
        into.extend_from_slice(&self.members.to_be_bytes());
        into.extend_from_slice(&self.snapshot_bytes.to_be_bytes());
        into.extend_from_slice(&self.level.to_be_bytes());
        into.extend_from_slice(&self.stream.to_be_bytes());
        into.push(u8::from(self.is_seeded));
    }

    pub(in crate::wire) fn decode(body: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            log_id: LogId(body.u64()?),
            secret: body.u64()?,
            message_bytes: body.u64()?,
            publish_window: body.u32()?,
            name_bytes: body.u32()?,
            members: body.u32()?,
            snapshot_bytes: body.u64()?,
            level: body.u32()?,
            stream: body.u64()?,
            is_seeded: body.flag()?,
        })
    }
}

impl<'a> Part<'a> {
    pub(super) fn encode(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.of.0.to_be_bytes());
        into.extend_from_slice(&self.index.to_be_bytes());
        into.extend_from_slice(&self.count.to_be_bytes());
        into.extend_from_slice(&self.digest.to_be_bytes());
        into.extend_from_slice(self.bytes);
    }

    pub(super) fn decode(body: &mut Cursor<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            of: Position(body.u64()?),
            index: body.u32()?,
            count: body.u32()?,
            digest: body.u64()?,
            bytes: body.rest(),
        })
    }
}

impl Sitter {
    pub(super) fn encode(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.seat.to_be_bytes());
        into.extend_from_slice(&self.life.to_be_bytes());
        into.extend_from_slice(&self.attempt.to_be_bytes());
        put_name(&self.name, into);
        into.extend_from_slice(&[
            self.dialect.number(),
            u8::from(self.delimited),
            u8::from(self.transient),
            u8::from(self.owned),
            u8::from(self.start.is_some()),
        ]);
        if let Some(start) = self.start {
            into.extend_from_slice(&start.0.to_be_bytes());
        }
        into.push(u8::from(self.key.is_some()));
        if let Some(key) = &self.key {
            into.extend_from_slice(key.as_bytes());
        }
    }

    pub(super) fn decode(body: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            seat: body.u32()?,
            life: body.u64()?,
            attempt: body.u32()?,
            name: body.name()?,
            dialect: Dialect::of_number(body.u8()?)?,
            delimited: body.flag()?,
            transient: body.flag()?,
            owned: body.flag()?,
            start: body.optional(|body| body.u64().map(OrderNumber))?,
            key: body.optional(Cursor::key)?,
        })
    }
}

impl Floor {
    pub(super) fn encode(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.seat.to_be_bytes());
        into.extend_from_slice(&[self.dialect.number(), u8::from(self.delimited)]);
        into.extend_from_slice(&self.floor.0.to_be_bytes());
        into.extend_from_slice(&self.heard.to_be_bytes());
    }

    pub(super) fn decode(body: &mut Cursor<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            seat: body.u32()?,
            dialect: Dialect::of_number(body.u8()?)?,
            delimited: body.flag()?,
            floor: OrderNumber(body.u64()?),
            heard: body.u64()?,
        })
    }
}
