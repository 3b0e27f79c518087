//! What a record proposes, one thing after the other.
//!
//! ```text
//!  0      1     4        8
//!  | kind | 0   | length | body ...
//! ```
//! A *seat* is a number that the writer has chosen for one of its connections: it is known before
//! it is ordered, so what follows a hello need not wait for it.

use super::parts::{Floor, Founding, Part, Sitter};
use crate::wire::cursor::{Cursor, put_name};
use crate::wire::fields::{put, read_u32};
use crate::wire::native::Publish;
use crate::wire::{ClientSequence, DecodeError, Name, Position, PublicKey, Writer};

/// Bytes before a proposal's body.
const PREFIX_LEN: usize = 8;

mod kind {
    pub(super) const FOUND: u8 = 1;
    pub(super) const OPEN: u8 = 2;
    pub(super) const GONE: u8 = 3;
    pub(super) const SIT: u8 = 4;
    pub(super) const PUBLISH: u8 = 5;
    pub(super) const SAY: u8 = 6;
    pub(super) const LEAVE: u8 = 7;
    pub(super) const AWAY: u8 = 8;
    pub(super) const FLOORS: u8 = 9;
    pub(super) const EXPIRE: u8 = 10;
    pub(super) const OWN: u8 = 11;
    pub(super) const END: u8 = 12;
    pub(super) const DIVERGED: u8 = 13;
    pub(super) const LEVEL: u8 = 14;
    pub(super) const KICK: u8 = 15;
    pub(super) const PART: u8 = 16;
}

/// Something that a broker wants to happen. It happens when it is applied, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proposal<'a> {
    /// The order begins. Only the first one counts.
    Found(Founding),
    /// A broker begins to serve, if `after` is the last writer of its name.
    Open {
        /// The broker's name.
        broker: Name,
        /// Whom it takes over from; 0: it is new.
        after: Writer,
        /// The highest level of this format that it can apply.
        level: u32,
    },
    /// A broker has been silent for too long, if that is still so.
    Gone {
        /// The broker's name.
        broker: Name,
        /// Its process.
        writer: Writer,
        /// The last of its records that was applied.
        last: u64,
    },
    /// A peer takes a name.
    Sit(Sitter),
    /// A native member publishes.
    Publish {
        /// Where it sits.
        seat: u32,
        /// Its messages.
        publish: Publish<'a>,
    },
    /// A member of a fixed dialect has something to say.
    Say {
        /// Where it sits.
        seat: u32,
        /// As it came.
        payload: &'a [u8],
    },
    /// A member's session ends.
    Leave {
        /// Where it sits.
        seat: u32,
    },
    /// A member has lost its connection; its session stays.
    Away {
        /// Where it sits.
        seat: u32,
    },
    /// Members have moved on, or speak differently.
    Floors(Vec<Floor>),
    /// A member that was away for too long leaves, if it was away since then.
    Expire {
        /// Whom it is about.
        name: Name,
        /// The position of the record by which it went away.
        since: Position,
    },
    /// A key speaks for a member from now on.
    Own {
        /// Where it sits.
        seat: u32,
        /// With which key.
        key: PublicKey,
    },
    /// An operator ends a session, wherever it sits.
    End {
        /// Whom it is about.
        name: Name,
    },
    /// An operator ends a member's connection, wherever it sits; its session stays.
    Kick {
        /// Whom it is about.
        name: Name,
    },
    /// A broker has found another history than its own: all are to stop.
    Diverged {
        /// Where.
        position: Position,
        /// What it has there.
        chain: u64,
    },
    /// From now on records may be of this level.
    Level(u32),
    /// A part of the order's state: it changes nothing of it.
    Part(Part<'a>),
}

impl<'a> Proposal<'a> {
    /// Appends the proposal's bytes.
    ///
    /// # Panics
    /// If it is longer than 4 GiB; the broker's limits are far below.
    pub fn encode(&self, into: &mut Vec<u8>) {
        let start = into.len();
        into.extend_from_slice(&[0; PREFIX_LEN]);
        let kind = self.encode_body(into);
        let length = into.len() - start - PREFIX_LEN;
        let length = u32::try_from(length).expect("a proposal's size is limited");
        into[start] = kind;
        put(&mut into[start..], 4..8, &length.to_be_bytes());
    }

    fn encode_body(&self, into: &mut Vec<u8>) -> u8 {
        match self {
            Self::Found(founding) => founding.encode(into),
            Self::Open {
                broker,
                after,
                level,
            } => {
                put_name(broker, into);
                into.extend_from_slice(&after.0.to_be_bytes());
                into.extend_from_slice(&level.to_be_bytes());
            }
            Self::Gone {
                broker,
                writer,
                last,
            } => {
                put_name(broker, into);
                into.extend_from_slice(&writer.0.to_be_bytes());
                into.extend_from_slice(&last.to_be_bytes());
            }
            Self::Sit(sitter) => sitter.encode(into),
            Self::Publish { seat, publish } => {
                into.extend_from_slice(&seat.to_be_bytes());
                into.extend_from_slice(&publish.count.to_be_bytes());
                into.extend_from_slice(&publish.first.0.to_be_bytes());
                into.extend_from_slice(publish.messages());
            }
            Self::Say { seat, payload } => {
                into.extend_from_slice(&seat.to_be_bytes());
                into.extend_from_slice(payload);
            }
            Self::Leave { seat } | Self::Away { seat } => {
                into.extend_from_slice(&seat.to_be_bytes());
            }
            Self::Floors(floors) => floors.iter().for_each(|floor| floor.encode(into)),
            Self::Expire { name, since } => {
                put_name(name, into);
                into.extend_from_slice(&since.0.to_be_bytes());
            }
            Self::Own { seat, key } => {
                into.extend_from_slice(&seat.to_be_bytes());
                into.extend_from_slice(key.as_bytes());
            }
            Self::End { name } | Self::Kick { name } => put_name(name, into),
            Self::Diverged { position, chain } => {
                into.extend_from_slice(&position.0.to_be_bytes());
                into.extend_from_slice(&chain.to_be_bytes());
            }
            Self::Level(level) => into.extend_from_slice(&level.to_be_bytes()),
            Self::Part(part) => part.encode(into),
        }
        self.kind()
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Found(_) => kind::FOUND,
            Self::Open { .. } => kind::OPEN,
            Self::Gone { .. } => kind::GONE,
            Self::Sit(_) => kind::SIT,
            Self::Publish { .. } => kind::PUBLISH,
            Self::Say { .. } => kind::SAY,
            Self::Leave { .. } => kind::LEAVE,
            Self::Away { .. } => kind::AWAY,
            Self::Floors(_) => kind::FLOORS,
            Self::Expire { .. } => kind::EXPIRE,
            Self::Own { .. } => kind::OWN,
            Self::End { .. } => kind::END,
            Self::Kick { .. } => kind::KICK,
            Self::Diverged { .. } => kind::DIVERGED,
            Self::Level(_) => kind::LEVEL,
            Self::Part(_) => kind::PART,
        }
    }

    /// Reads the proposal at the head of `bytes`, and gives back what follows it.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), DecodeError> {
        let mut cursor = Cursor(bytes);
        let kind = cursor.u8()?;
        if cursor.bytes(3)? != [0; 3] {
            return Err(DecodeError::FieldOutOfRange);
        }
        let length = read_u32(bytes, 4..8)?;
        cursor.u32()?;
        let mut body = Cursor(cursor.bytes(length)?);
        let proposal = Self::decode_body(kind, &mut body)?;
        body.end()?;
        Ok((proposal, cursor.rest()))
    }

    fn decode_body(kind: u8, body: &mut Cursor<'a>) -> Result<Self, DecodeError> {
        Ok(match kind {
            kind::FOUND => Self::Found(Founding::decode(body)?),
            kind::OPEN => Self::Open {
                broker: body.name()?,
                after: Writer(body.u64()?),
                level: body.u32()?,
            },
            kind::GONE => Self::Gone {
                broker: body.name()?,
                writer: Writer(body.u64()?),
                last: body.u64()?,
            },
            kind::SIT => Self::Sit(Sitter::decode(body)?),
            kind::PUBLISH => {
                let (seat, count) = (body.u32()?, body.u32()?);
                let first = ClientSequence(body.u64()?);
                let publish = Publish::of_parts(first, count, body.rest())?;
                Self::Publish { seat, publish }
            }
            kind::SAY => Self::Say {
                seat: body.u32()?,
                payload: body.rest(),
            },
            kind::LEAVE => Self::Leave { seat: body.u32()? },
            kind::AWAY => Self::Away { seat: body.u32()? },
            kind::FLOORS => {
                let mut floors = Vec::new();
                while body.end().is_err() {
                    floors.push(Floor::decode(body)?);
                }
                Self::Floors(floors)
            }
            kind::EXPIRE => Self::Expire {
                name: body.name()?,
                since: Position(body.u64()?),
            },
            kind::OWN => Self::Own {
                seat: body.u32()?,
                key: body.key()?,
            },
            kind::END => Self::End { name: body.name()? },
            kind::KICK => Self::Kick { name: body.name()? },
            kind::DIVERGED => Self::Diverged {
                position: Position(body.u64()?),
                chain: body.u64()?,
            },
            kind::LEVEL => Self::Level(body.u32()?),
            kind::PART => Self::Part(Part::decode(body)?),
            _ => return Err(DecodeError::UnexpectedKind),
        })
    }
}
