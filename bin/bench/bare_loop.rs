//! libzmq alone: a loop around a ROUTER that forwards what publishers send to every subscriber.
//!
//! No order number, ACK, log or second thread: what is left of a broker when everything that
//! makes one is taken away. Nothing is lost: a subscriber that is slow holds up all the others,
//! and through TCP the publishers.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use orden::net::SharedFrame;
use orden::wire::SecretKey;

use super::error::Error;
use super::link::bare::{PUBLISHER, SUBSCRIBER, TAKEN_IN};

/// Bytes of the file that messages are synced to; then it begins again.
const SYNCED_BYTES: usize = 16 << 20;

/// A file that has its full length, as a log's segment has, to tell what a sync adds to the way
/// of a message.
pub(super) struct SyncedFile {
    file: File,
    within: PathBuf,
    tail: usize,
}

impl SyncedFile {
    pub(super) fn within(directory: &Path) -> Result<Self, Error> {
        let file = tempfile::tempfile_in(directory).and_then(|file| {
            file.write_all_at(&vec![0; SYNCED_BYTES], 0)?;
            file.sync_all().map(|()| file)
        });
        Ok(Self {
            file: file.map_err(Error::system("write in", directory))?,
            within: directory.to_owned(),
            tail: 0,
        })
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.tail + bytes.len() > SYNCED_BYTES {
            self.tail = 0;
        }
        let written = self.file.write_all_at(bytes, self.tail as u64);
        let synced = written.and_then(|()| self.file.sync_data());
        self.tail += bytes.len();
        synced.map_err(Error::system("write and sync in", &self.within))
    }
}

/// Forwards until the process ends, each frame after it is in `file`, if there is one. A frame's
/// bytes are copied once, not for each subscriber: more would measure the allocator.
pub(super) fn forward(mut router: zmq::Socket, mut file: Option<SyncedFile>) -> Result<(), Error> {
    let mut subscribers: Vec<Vec<u8>> = Vec::new();
    let mut id = zmq::Message::new();
    let mut frame = zmq::Message::new();
    loop {
        router.recv(&mut id, 0)?;
        router.recv(&mut frame, 0)?;
        if frame.len() == 1 {
            if &frame[..] == SUBSCRIBER {
                subscribers.push(id.to_vec());
            } else if &frame[..] != PUBLISHER {
                continue;
            }
            router.send(&id[..], zmq::SNDMORE)?;
            router.send(TAKEN_IN, 0)?;
            continue;
        }
        if let Some(file) = &mut file {
            file.append(&frame)?;
        }
        let shared = SharedFrame::new(Arc::new(frame.to_vec()), 0..frame.len());
        let mut gone = false;
        for subscriber in &mut subscribers {
            match router.send(&subscriber[..], zmq::SNDMORE) {
                Ok(()) => shared.send_copy(&mut router, 0)?,
                Err(zmq::Error::EHOSTUNREACH) => {
                    subscriber.clear();
                    gone = true;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if gone {
            subscribers.retain(|subscriber| !subscriber.is_empty());
        }
    }
}

/// The ROUTER, bound; with its endpoint.
pub(super) fn bind(
    endpoint: &str,
    secret: Option<&SecretKey>,
) -> Result<(zmq::Socket, String), Error> {
    let router = zmq::Context::new().socket(zmq::ROUTER)?;
    // Without this a full queue would lose messages and say nothing.
    router.set_router_mandatory(true)?;
    router.set_linger(0)?;
    if let Some(secret) = secret {
        router.set_curve_server(true)?;
        router.set_curve_secretkey(secret.as_bytes())?;
    }
    router.bind(endpoint)?;
    match router.get_last_endpoint()? {
        Ok(endpoint) => Ok((router, endpoint)),
        Err(_) => Err(Error::Server("an endpoint that is no text".to_owned())),
    }
}
