//! One message, as an application gets it.

use std::time::{Duration, SystemTime};

use crate::display::Message;
use crate::wire::record::{Flags, Record};
use crate::wire::{ClientSequence, Name, OrderNumber};

/// One message of the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its place in the order.
    pub order: OrderNumber,
    /// Who sent it; of notices, the broker: [`Name::server`].
    pub from: Name,
    /// What it says.
    pub message: Vec<u8>,
    /// Its sender's own number for it, [`ClientSequence::NONE`] if it has none.
    pub client_sequence: ClientSequence,
    /// When it was ordered, by the broker's clock: for people, as that clock may jump.
    pub time: SystemTime,
    /// Whether it is a notice of the broker's own, such as that a member has joined.
    pub notice: bool,
}

impl Delivery {
    /// Copies a message out of its frame. Senders repeat: `known` is the last one's name.
    pub(super) fn new(record: &Record<'_>, known: &mut Option<Name>) -> Self {
        let name = match known {
            Some(name) if name.as_bytes() == record.sender => name.clone(),
            // What the broker would not have let in is not worth more than its own name.
            _ => Name::new(record.sender).unwrap_or_else(|_| Name::server()),
        };
        *known = Some(name.clone());
        Self {
            order: record.order,
            from: name,
            message: record.payload.to_vec(),
            client_sequence: record.client_sequence,
            time: SystemTime::UNIX_EPOCH + Duration::from_micros(record.time),
            notice: record.flags.has(Flags::NOTICE),
        }
    }
}

impl<'a> From<&'a Delivery> for Message<'a> {
    fn from(delivery: &'a Delivery) -> Self {
        let since = delivery.time.duration_since(SystemTime::UNIX_EPOCH);
        Self {
            order: delivery.order.0,
            from: delivery.from.as_bytes(),
            payload: &delivery.message,
            // A delivery's time is made from microseconds since 1970 above.
            time: u64::try_from(since.unwrap_or_default().as_micros()).unwrap_or(u64::MAX),
            is_notice: delivery.notice,
        }
    }
}
