//! What peers and brokers say to a machine that a test drives by hand.

use orden::core::{Input, Packet};
use orden::wire::native::{Hello, Start};
use orden::wire::stream_record::Founding;
use orden::wire::{LogId, Name};

/// A frame that comes as it is, without keys.
pub fn packet<'a>(id: &'a [u8], body: &'a [u8]) -> Input<'a> {
    Input::Packet(Packet {
        id,
        delimited: false,
        body,
        excess: false,
        proof: None,
    })
}

/// The hello of a new name; what is special about it the test says.
pub fn hello(name: &[u8], receive: bool) -> Hello {
    Hello {
        name: Name::new(name).expect("a short name"),
        start: Start::Now,
        receive,
        log_id: LogId(0),
        attempt: None,
        observe: false,
    }
}

/// The founding of an order of several brokers, with limits that a test comes near to.
pub fn founding(log_id: LogId) -> Founding {
    Founding {
        log_id,
        secret: 1,
        message_bytes: 4096,
        publish_window: 100,
        name_bytes: 255,
        members: 100,
        snapshot_bytes: 1 << 20,
        level: 1,
        stream: 1,
        is_seeded: false,
    }
}
