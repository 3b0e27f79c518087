//! The targets that read bytes and keep nothing.

use std::sync::Arc;

use orden::admin::Request;
use orden::core::{Recovered, Seed, Sequencer};
use orden::net::Address;
use orden::net::key_file::{self, KeyFile};
use orden::store::Error;
use orden::wire::raw::Splitter;
use orden::wire::sessions::SessionEntry;
use orden::wire::{ClientMessage, OrderNumber, batch, binary, json, reply};

use crate::log::files::{log_of, name, open};

/// A frame as the broker gets it.
pub(crate) fn client_frame(bytes: &[u8]) {
    match orden::wire::decode(bytes) {
        Ok(ClientMessage::Publish(publish)) => {
            let count = publish.payloads().count();
            assert_eq!(count, publish.count as usize, "as many as it says");
        }
        Ok(ClientMessage::Hello(hello)) => {
            let again = orden::wire::decode(&hello.encode()).map(|_| ());
            assert_eq!(again, Ok(()));
        }
        Ok(_) => {}
        Err(error) => assert!(!error.name().is_empty()),
    }
}

/// A frame as a client gets it.
pub(crate) fn broker_frame(bytes: &[u8]) {
    let _ = reply::decode(bytes);
    let _ = binary::decode_delivery(bytes);
    let _ = json::decode_delivery(bytes);
    let _ = batch::verify(bytes);
    let mut length = 0;
    for record in batch::records(bytes).map_while(Result::ok) {
        length += record.payload.len();
    }
    assert!(length <= bytes.len());
}

/// What a plain TCP connection brings, in pieces of all sizes.
pub(crate) fn plain_tcp(bytes: &[u8]) {
    let mut splitter = Splitter::new();
    let size = bytes.first().map_or(1, |first| usize::from(*first) + 1);
    for piece in bytes.chunks(size) {
        splitter.feed(piece);
        while let Some(frame) = splitter.next_frame() {
            let _ = frame.and_then(binary::decode);
        }
    }
    let _ = splitter.finish();
}

/// A key file, or a list of keys.
pub(crate) fn key_file(bytes: &[u8]) {
    if let Ok(list) = key_file::decode_list(bytes) {
        drop(orden::core::Grants::new(
            list.into_iter().map(KeyFile::into_grant),
        ));
    }
    if let Ok(file) = KeyFile::decode(bytes) {
        let again = KeyFile::decode(file.encode().as_bytes()).unwrap();
        assert_eq!((again.public, again.secret), (file.public, file.secret));
    }
}

/// An address as people write it.
pub(crate) fn address(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        return;
    };
    if let Ok(address) = text.parse::<Address>() {
        assert_eq!(address.to_string().parse(), Ok(address.clone()));
        assert!(!address.to_bind().contains('\0'), "libzmq would stop there");
    }
}

/// A line on the control socket: what is understood is said again as it was meant.
pub(crate) fn control_line(bytes: &[u8]) {
    match Request::parse(bytes) {
        Ok(request) => {
            let again = Request::parse(request.line().as_bytes());
            assert_eq!(again.unwrap(), request);
        }
        Err(error) => assert!(!error.name().is_empty() && !error.to_string().is_empty()),
    }
}

/// A request over HTTP, as far as it is read without a broker.
pub(crate) fn http_request(bytes: &[u8]) {
    let _ = orden::web::try_request(bytes);
}

/// What the log keeps of a session.
pub(crate) fn session_entry(bytes: &[u8]) {
    if let Ok((entry, length)) = SessionEntry::decode(bytes) {
        let mut again = Vec::new();
        entry.encode(&mut again);
        assert_eq!(again.len(), length);
        // Nor may the machine stumble over what it makes of it.
        let mut recovered = Recovered::default();
        recovered.next = OrderNumber(7);
        recovered.change(&entry);
        recovered.finish();
        let limits = orden::core::Limits::default();
        let now = orden::core::Now::default();
        let mut machine = Sequencer::new(now, limits, recovered, Seed::default());
        machine.ready(now);
    }
}

/// The newest segment of a log, whatever it holds: it opens, or says what is wrong.
pub(crate) fn log_recovery(bytes: &[u8]) {
    let mut files = log_of(4096, &[&[10, 20], &[30]], false);
    files.insert(name(0), Arc::new(bytes.to_vec()));
    let newest = files.keys().next_back().unwrap().clone();
    files.insert(newest, Arc::new(bytes.to_vec()));
    let opened = match open(&files) {
        Ok(opened) => opened,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let mut reader = opened.log.reader();
    let mut next = opened.recovered.oldest;
    while let Ok(chunk) = reader.read(next) {
        assert!(chunk.first() <= next && next < chunk.end());
        next = chunk.end();
    }
    let _: Result<(), Error> = opened.log.close();
}
