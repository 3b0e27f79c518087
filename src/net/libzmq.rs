//! One frame for many peers, libzmq's descriptors, unguessable ids: what the `zmq` crate cannot
//! say.
//!
//! The only module with `unsafe`: it speaks to libzmq and to descriptors that libzmq owns. It
//! decides nothing.

#![expect(unsafe_code, reason = "libzmq's messages are reached by raw calls")]

use std::cell::UnsafeCell;
use std::ffi::{c_int, c_uint, c_void};
use std::ops::Range;
use std::os::fd::{BorrowedFd, RawFd};
use std::sync::Arc;

use zmq_sys::zmq_msg_t;

/// Up to here libzmq keeps the bytes in `zmq_msg_t` itself and counts no references.
const INLINE_LEN: usize = 33;

/// A frame that is encoded once and sent to any number of peers, without a copy of its bytes.
///
/// Only for sockets whose peers are elsewhere (`tcp`, `ipc`): over `inproc` the receiver would
/// be given these very bytes, and could write to them.
///
/// It may move to another thread: nothing in libzmq's message is bound to one, its references
/// are counted by an atomic, and the last of them drops an `Arc` of bytes wherever it happens to
/// be. Two threads must not copy it at once, since the first copy writes to the original; so it
/// is not `Sync`.
pub struct SharedFrame {
    original: UnsafeCell<RawMessage>,
}

impl SharedFrame {
    /// The frame that is `range` of `bytes`, which live until the last peer has been served.
    ///
    /// # Panics
    ///
    /// When `range` is not within `bytes`, or memory is out.
    pub fn new(bytes: Arc<Vec<u8>>, range: Range<usize>) -> Self {
        let frame = &bytes[range];
        let original = if frame.len() <= INLINE_LEN {
            RawMessage::copied(frame)
        } else {
            let (data, len) = (frame.as_ptr(), frame.len());
            RawMessage::borrowed(data, len, bytes)
        };
        Self {
            original: UnsafeCell::new(original),
        }
    }

    /// Sends the frame to one more peer; `flags` are `zmq::DONTWAIT` and `zmq::SNDMORE`.
    ///
    /// The socket is `&mut` because the `zmq` crate shows its pointer on no other terms.
    pub fn send_copy(&self, socket: &mut zmq::Socket, flags: i32) -> zmq::Result<()> {
        let mut copy = RawMessage::empty();
        // SAFETY: both are initialised messages. The original is written to, and no other
        // reference to it is in use: the type is not `Sync`, and no reference outlives this call.
        let copied = unsafe {
            let original = &raw mut (*self.original.get()).0;
            zmq_sys::zmq_msg_copy(&raw mut copy.0, original)
        };
        checked(copied)?;
        // SAFETY: an initialised message, and a socket that `zmq::Socket` keeps open. What
        // libzmq takes it replaces by an empty message, what it refuses stays ours: closing
        // `copy` is right in both cases.
        let sent = unsafe { zmq_sys::zmq_msg_send(&raw mut copy.0, socket.as_mut_ptr(), flags) };
        checked(sent)
    }
}

/// Does something with a descriptor that libzmq owns, by its number; `None` if it is none. It may
/// have been closed since, and its number given to another: what is done must bear that.
pub(super) fn with_descriptor<T>(
    number: RawFd,
    action: impl FnOnce(BorrowedFd<'_>) -> Option<T>,
) -> Option<T> {
    if number < 0 {
        return None;
    }
    // SAFETY: not -1, and borrowed for one call, which can close nothing.
    action(unsafe { BorrowedFd::borrow_raw(number) })
}

/// Makes a handshake fail if no ZAP handler answers for it. Without this option, which the `zmq`
/// crate does not know, it would succeed.
pub(crate) fn enforce_zap_domain(socket: &mut zmq::Socket) -> zmq::Result<()> {
    const ZMQ_ZAP_ENFORCE_DOMAIN: c_int = 93;
    set::<c_int>(socket, ZMQ_ZAP_ENFORCE_DOMAIN, &1)
}

/// Lets libzmq write so many bytes of small messages at once to a connection, which holds a buffer
/// of that size for it. The `zmq` crate does not know this option.
pub(crate) fn set_out_batch_size(socket: &mut zmq::Socket, bytes: c_int) -> zmq::Result<()> {
    const ZMQ_OUT_BATCH_SIZE: c_int = 102;
    set(socket, ZMQ_OUT_BATCH_SIZE, &bytes)
}

/// Sets an option that the `zmq` crate does not know.
pub(super) fn set<T>(socket: &mut zmq::Socket, option: c_int, value: &T) -> zmq::Result<()> {
    // SAFETY: an open socket, and a value that outlives the call, of the size that is said; an
    // option of another size is refused.
    checked(unsafe {
        zmq_sys::zmq_setsockopt(
            socket.as_mut_ptr(),
            option,
            std::ptr::from_ref(value).cast::<c_void>(),
            size_of::<T>(),
        )
    })
}

unsafe extern "C" {
    fn srand(seed: c_uint);
}

/// Makes the routing ids that libzmq generates start at a place that no peer can guess.
///
/// It takes them from libc's `rand`, which begins the same in every process. In libzmq as released
/// a peer that claims the id that is to be generated next aborts the process; ours is patched
/// (`.libzmq/patches`), and this is the second lock. To be called before the first socket is made.
pub(crate) fn seed_generated_ids(seed: u32) {
    // SAFETY: sets a number of libc's; nothing else in the process draws from `rand`.
    unsafe { srand(seed) };
}

/// An initialised libzmq message, closed on drop. It may be moved in memory: it does not point
/// into itself.
struct RawMessage(zmq_msg_t);

impl RawMessage {
    fn empty() -> Self {
        let mut message = zmq_msg_t::default();
        // SAFETY: initialises the memory it is given, and cannot fail.
        unsafe { zmq_sys::zmq_msg_init(&raw mut message) };
        Self(message)
    }

    fn copied(bytes: &[u8]) -> Self {
        let mut message = zmq_msg_t::default();
        // SAFETY: initialises the memory it is given.
        let code = unsafe { zmq_sys::zmq_msg_init_size(&raw mut message, bytes.len()) };
        assert_eq!(code, 0, "no memory for a frame");
        // SAFETY: libzmq has just made room for this many bytes, and nothing else refers to it.
        unsafe {
            let room = zmq_sys::zmq_msg_data(&raw mut message).cast::<u8>();
            room.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        }
        Self(message)
    }

    /// `data` is in `owner`, which the message keeps.
    fn borrowed(data: *const u8, len: usize, owner: Arc<Vec<u8>>) -> Self {
        let mut message = zmq_msg_t::default();
        let hint = Arc::into_raw(owner).cast_mut().cast::<c_void>();
        let data = data.cast_mut().cast::<c_void>();
        // SAFETY: the bytes stay where they are until `release` has given up this share of the
        // `Arc`: a `Vec` that is shared cannot grow. libzmq only reads them.
        let code =
            unsafe { zmq_sys::zmq_msg_init_data(&raw mut message, data, len, Some(release), hint) };
        assert_eq!(code, 0, "no memory for a frame");
        Self(message)
    }
}

impl Drop for RawMessage {
    fn drop(&mut self) {
        // SAFETY: initialised by every constructor, and closed here only.
        unsafe { zmq_sys::zmq_msg_close(&raw mut self.0) };
    }
}

/// libzmq calls this once, from whichever thread lets go of the bytes last.
unsafe extern "C" fn release(_data: *mut c_void, hint: *mut c_void) {
    // SAFETY: `hint` is the share that `RawMessage::borrowed` took out of its `Arc`.
    drop(unsafe { Arc::from_raw(hint.cast_const().cast::<Vec<u8>>()) });
}

fn checked(code: c_int) -> zmq::Result<()> {
    if code == -1 {
        // SAFETY: reads a number that belongs to this thread.
        return Err(zmq::Error::from_raw(unsafe { zmq_sys::zmq_errno() }));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const DEADLINE_MS: i32 = 10_000;

    fn bound(context: &zmq::Context, kind: zmq::SocketType) -> (zmq::Socket, String) {
        let socket = context.socket(kind).unwrap();
        socket.set_rcvtimeo(DEADLINE_MS).unwrap();
        socket.set_sndtimeo(DEADLINE_MS).unwrap();
        socket.bind("tcp://127.0.0.1:*").unwrap();
        let endpoint = socket.get_last_endpoint().unwrap().unwrap();
        (socket, endpoint)
    }

    fn connected(context: &zmq::Context, endpoint: &str) -> zmq::Socket {
        let socket = context.socket(zmq::DEALER).unwrap();
        socket.set_sndtimeo(DEADLINE_MS).unwrap();
        socket.connect(endpoint).unwrap();
        socket
    }

    /// Sends `len` bytes from the middle of a buffer to two peers, from a thread that did not
    /// build the frame.
    fn reaches_two_peers_and_is_freed(len: usize) {
        let bytes: Arc<Vec<u8>> = Arc::new((0..=250).cycle().take(len + 20).collect());
        let frame = SharedFrame::new(Arc::clone(&bytes), 10..10 + len);

        let context = zmq::Context::new();
        let (left, left_endpoint) = bound(&context, zmq::DEALER);
        let (right, right_endpoint) = bound(&context, zmq::DEALER);
        let mut to_left = connected(&context, &left_endpoint);
        let mut to_right = connected(&context, &right_endpoint);
        thread::spawn(move || {
            frame.send_copy(&mut to_left, 0).unwrap();
            frame.send_copy(&mut to_right, zmq::SNDMORE).unwrap();
            frame.send_copy(&mut to_right, 0).unwrap();
        })
        .join()
        .unwrap();

        let expected = &bytes[10..10 + len];
        assert_eq!(left.recv_multipart(0).unwrap(), [expected]);
        assert_eq!(right.recv_multipart(0).unwrap(), [expected, expected]);

        // libzmq is done with everything once its context has ended.
        drop((left, right, context));
        assert_eq!(Arc::strong_count(&bytes), 1);
    }

    #[test]
    fn an_empty_frame() {
        reaches_two_peers_and_is_freed(0);
    }

    #[test]
    fn the_longest_frame_that_libzmq_keeps_inline() {
        reaches_two_peers_and_is_freed(INLINE_LEN);
    }

    #[test]
    fn the_shortest_frame_that_is_shared() {
        reaches_two_peers_and_is_freed(INLINE_LEN + 1);
    }

    #[test]
    fn a_long_frame() {
        reaches_two_peers_and_is_freed(64 * 1024);
    }

    #[test]
    fn a_shared_frame_holds_one_share_and_a_short_one_none() {
        let bytes = Arc::new(vec![7; 100]);
        let shared = SharedFrame::new(Arc::clone(&bytes), 0..100);
        assert_eq!(Arc::strong_count(&bytes), 2);
        let short = SharedFrame::new(Arc::clone(&bytes), 0..INLINE_LEN);
        assert_eq!(Arc::strong_count(&bytes), 2);
        drop((shared, short));
        assert_eq!(Arc::strong_count(&bytes), 1);
    }

    #[test]
    fn a_refused_frame_can_be_sent_again() {
        let bytes = Arc::new(vec![7; 100]);
        let frame = SharedFrame::new(Arc::clone(&bytes), 0..100);
        let context = zmq::Context::new();
        let mut alone = context.socket(zmq::DEALER).unwrap();
        assert_eq!(
            frame.send_copy(&mut alone, zmq::DONTWAIT),
            Err(zmq::Error::EAGAIN)
        );

        let (peer, endpoint) = bound(&context, zmq::DEALER);
        frame
            .send_copy(&mut connected(&context, &endpoint), 0)
            .unwrap();
        assert_eq!(peer.recv_bytes(0).unwrap(), *bytes);
        drop((frame, alone, peer, context));
        assert_eq!(Arc::strong_count(&bytes), 1);
    }
}
