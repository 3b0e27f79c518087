//! What is received and not dealt with yet, bounded in bytes over all connections.

use std::ffi::c_int;
use std::sync::atomic::AtomicU64;
#[cfg(test)]
use std::sync::atomic::Ordering;

use super::libzmq::set;

/// What was received and is not dealt with yet, in bytes, over all connections of the sockets that
/// share this; and how much that may be. libzmq's side of it is `received_t` in
/// `.libzmq/patches/received-bytes.patch`.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct Received {
    /// Of frames of up to 256 KiB that are complete, and of larger ones from their headers.
    held: [AtomicU64; 2],
    most: [u64; 2],
}

impl Received {
    /// Room for so many bytes, a third of it for frames of up to 256 KiB. It is never freed, since
    /// a message may outlive its socket.
    pub(crate) fn with_room(bytes: u64) -> &'static Self {
        let small = bytes / 3;
        Box::leak(Box::new(Self {
            held: Default::default(),
            most: [small, bytes - small],
        }))
    }

    #[cfg(test)]
    fn held(&self) -> u64 {
        let held = self.held.iter().map(|held| held.load(Ordering::SeqCst));
        held.sum()
    }
}

/// Counts what a socket receives, and lets it read on only where there is room. To be called
/// before it is bound.
pub(crate) fn bound_received(
    socket: &mut zmq::Socket,
    received: &'static Received,
) -> zmq::Result<()> {
    const ZMQ_ORDEN_RECEIVED: c_int = 0x4F52;
    set(socket, ZMQ_ORDEN_RECEIVED, &std::ptr::from_ref(received))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::thread;

    use super::*;

    /// A ROUTER with so much room, and where it listens.
    fn router(context: &zmq::Context, room: u64) -> (zmq::Socket, String, &'static Received) {
        let received = Received::with_room(room);
        let mut router = context.socket(zmq::ROUTER).unwrap();
        bound_received(&mut router, received).unwrap();
        router.set_rcvtimeo(10_000).unwrap();
        router.bind("tcp://127.0.0.1:*").unwrap();
        let endpoint = router.get_last_endpoint().unwrap().unwrap();
        (router, endpoint, received)
    }

    fn connected(context: &zmq::Context, endpoint: &str) -> zmq::Socket {
        let socket = context.socket(zmq::DEALER).unwrap();
        socket.connect(endpoint).unwrap();
        socket
    }

    #[test]
    fn what_is_received_is_counted_until_it_is_freed() {
        let context = zmq::Context::new();
        let (router, endpoint, received) = router(&context, 3 << 20);
        let peer = connected(&context, &endpoint);
        for size in [0, 33, 34, 300, 256 << 10, (256 << 10) + 1, 1 << 20] {
            peer.send(vec![7; size], 0).unwrap();
            let frames = [router.recv_msg(0).unwrap(), router.recv_msg(0).unwrap()];
            assert_eq!(frames[1].len(), size);
            // Up to 33 bytes libzmq keeps within the message.
            let counted = if size > 33 { size as u64 + 128 } else { 0 };
            assert_eq!(received.held(), counted);
            drop(frames);
            assert_eq!(received.held(), 0);
        }
        // What nobody reads is freed with its socket.
        peer.send(vec![7; 1000], 0).unwrap();
        while received.held() == 0 {
            thread::yield_now();
        }
        drop((peer, router, context));
        assert_eq!(received.held(), 0);
    }

    #[test]
    fn who_finds_no_room_waits_and_nothing_is_lost() {
        let room = 6 << 20;
        let context = zmq::Context::new();
        let (router, endpoint, received) = router(&context, room);
        let peers: Vec<_> = (0..4).map(|_| connected(&context, &endpoint)).collect();
        // Forty MiB, of which three find room, and between them some that are small.
        for number in 0..10_u8 {
            for peer in &peers {
                peer.send(vec![number; 1 << 20], 0).unwrap();
                peer.send(vec![number; 100], 0).unwrap();
            }
        }
        while received.held() < 3 << 20 {
            thread::yield_now();
        }
        let mut next = HashMap::new();
        for _ in 0..80 {
            let id = router.recv_bytes(0).unwrap();
            let frame = router.recv_msg(0).unwrap();
            let expected = next.entry(id).or_insert(0_u8);
            assert_eq!(frame[0], *expected / 2);
            assert_eq!(frame.len() == 100, *expected % 2 == 1);
            *expected += 1;
            assert!(received.held() <= room);
        }
        assert_eq!(received.held(), 0);
    }
}
