//! A broker of which a test plays every move, and the peer it plays with.

use orden::wire::{Acked, ClientMessage, OrderNumber};

use orden_kit::programs::Program;
use orden_kit::programs::python;

/// A bound ROUTER and its address.
pub(crate) struct Broker {
    router: zmq::Socket,
    pub(crate) address: String,
}

impl Broker {
    pub(crate) fn bind() -> Self {
        let router = zmq::Context::new().socket(zmq::ROUTER).expect("a socket");
        router.bind("tcp://127.0.0.1:*").expect("a free port");
        router.set_rcvtimeo(60_000).expect("a timeout");
        let address = router.get_last_endpoint().expect("bound");
        Self {
            router,
            address: address.expect("UTF-8"),
        }
    }

    /// Who speaks, and the frame.
    pub(crate) fn hear(&self) -> (Vec<u8>, Vec<u8>) {
        let mut frames = self.router.recv_multipart(0).expect("the peer speaks");
        let frame = frames.pop().expect("a frame");
        assert_eq!(frames.len(), 1, "one frame after the routing id");
        (frames.remove(0), frame)
    }

    pub(crate) fn expect(&self, expected: &ClientMessage<'_>) {
        let (_, frame) = self.hear();
        assert_eq!(orden::wire::decode(&frame).as_ref(), Ok(expected));
    }

    pub(crate) fn say(&self, id: &[u8], frame: &[u8]) {
        let sent = self.router.send_multipart([id, frame], 0);
        sent.expect("the peer is there");
    }
}

/// Starts a peer named ana.
pub(crate) fn start(file: &str, address: &str, script: &str) -> Program {
    let mut arguments = vec!["--address", address, "--name", "ana"];
    arguments.extend(script.split_whitespace());
    python::start(file, &arguments)
}

pub(crate) fn ack(order: u64) -> ClientMessage<'static> {
    ClientMessage::Ack(Acked::UpTo(OrderNumber(order)))
}

pub(crate) fn text(text: &str) -> ClientMessage<'_> {
    ClientMessage::Text(text.as_bytes().into())
}
