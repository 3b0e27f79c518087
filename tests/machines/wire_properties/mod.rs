//! What holds for every message and for any bytes, in all dialects and in the log.
//!
//! Three kinds of property: what was encoded is decoded again; no bytes make a decoder panic,
//! least of all bytes that are nearly right; and no changed bit of a batch goes unseen.

mod strategies;

use orden::wire::batch::{self, Header, Kind};
use orden::wire::native::{self, PublishFrame};
use orden::wire::record::Record;
use orden::wire::rendering::{self, Fidelity};
use orden::wire::sessions::SessionEntry;
use orden::wire::{Acked, ClientMessage, ClientSequence, DecodeError, OrderNumber};
use orden::wire::{binary, json, raw, reply};
use proptest::collection::vec;
use proptest::prelude::*;
use strategies::{Letter, acked, bytes, nearly, send};

/// The text that a peer of the fixed dialects said.
fn text(message: ClientMessage<'_>) -> Vec<u8> {
    match message {
        ClientMessage::Text(text) => text.into_owned(),
        other => panic!("{other:?} is no text"),
    }
}

/// All frames that come out of a splitter that is fed these chunks.
fn split<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Result<Vec<u8>, DecodeError>> {
    let mut splitter = raw::Splitter::new();
    let mut frames = Vec::new();
    for chunk in chunks {
        splitter.feed(chunk);
        while let Some(frame) = splitter.next_frame() {
            frames.push(frame.map(<[u8]>::to_vec));
        }
    }
    frames
}

proptest! {
    #[test]
    fn binary_comes_back(order: u64, [name, text_of]: [Vec<u8>; 2]) {
        let mut frame = Vec::new();
        binary::encode_message(OrderNumber(order), [&name, b": ", &text_of], &mut frame);
        let payload = [&name[..], b": ", &text_of].concat();
        prop_assert_eq!(binary::decode_delivery(&frame), Ok((OrderNumber(order), &payload[..])));
        prop_assert_eq!(text(orden::wire::decode(&frame).unwrap()), payload);
    }

    #[test]
    fn json_comes_back_as_text(order: u64, [name, text_of]: [Vec<u8>; 2], odd: String) {
        for text_of in [&text_of, odd.as_bytes()] {
            let mut frame = Vec::new();
            let parts = [&name[..], b": ", text_of];
            let fidelity = json::encode_message(OrderNumber(order), parts, &mut frame);
            let payload = parts.concat();
            let shown = String::from_utf8_lossy(&payload);
            let exact = shown.as_bytes() == payload;
            prop_assert_eq!(fidelity == Fidelity::Exact, exact);
            let (number, message) = json::decode_delivery(&frame).unwrap();
            prop_assert_eq!((number, message), (OrderNumber(order), shown.clone()));
            prop_assert_eq!(text(orden::wire::decode(&frame).unwrap()), shown.as_bytes());
        }
    }

    #[test]
    fn acks_come_back(acked in acked()) {
        let mut frames = vec![binary::encode_ack(acked).to_vec(), json::encode_ack(acked)];
        if let Acked::UpTo(order) = acked {
            frames.push(native::ack(order));
        }
        for frame in frames {
            prop_assert_eq!(orden::wire::decode(&frame), Ok(ClientMessage::Ack(acked)));
        }
    }

    #[test]
    fn raw_never_exceeds_its_limit(order: u64, payload in vec(any::<u8>(), 0..4500)) {
        let mut frame = Vec::new();
        let fidelity = raw::encode_message(OrderNumber(order), [&payload, b"", b""], &mut frame);
        let (number, shown) = binary::decode_delivery(&frame).unwrap();
        prop_assert_eq!(number, OrderNumber(order));
        prop_assert!(frame.len() <= raw::LIMIT);
        match fidelity {
            Fidelity::Exact => prop_assert_eq!(shown, payload),
            other => {
                prop_assert_eq!(other, Fidelity::Cut);
                let kept = shown.strip_suffix(raw::CUT_MARK.as_bytes()).unwrap();
                prop_assert!(payload.starts_with(kept));
                prop_assert!(frame.len() >= raw::LIMIT - 3);
            }
        }
    }

    /// Wherever TCP cuts glued sends, except within a text, which nothing can mend.
    #[test]
    fn raw_headers_may_be_cut_anywhere(
        sends in vec(send(), 1..12),
        cuts in vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut allowed = Vec::new();
        let mut stream = Vec::new();
        for frame in &sends {
            allowed.extend(stream.len()..stream.len() + binary::HEADER_LEN);
            stream.extend_from_slice(frame);
        }
        let mut cuts: Vec<_> = cuts.iter().map(|cut| *cut.get(&allowed)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let chunks = cuts.windows(2).map(|cut| &stream[cut[0]..cut[1]]);
        prop_assert_eq!(split(chunks), sends.iter().cloned().map(Ok).collect::<Vec<_>>());
    }

    #[test]
    fn raw_takes_any_bytes(stream in vec(Letter::any(), 0..200), size in 1_usize..80) {
        let stream: Vec<u8> = stream.into_iter().flat_map(Letter::bytes).collect();
        let frames = split(stream.chunks(size));
        let whole: usize = frames.iter().flatten().map(Vec::len).sum();
        prop_assert!(whole <= stream.len());
        let twice = |pair: &[Result<_, _>]| pair[0].is_err() && pair[1].is_err();
        prop_assert!(!frames.windows(2).any(twice), "one report for one run of stray bytes");
        for frame in frames.iter().flatten() {
            prop_assert!(frame.len() >= binary::HEADER_LEN);
            prop_assert_ne!(binary::decode(frame), Err(DecodeError::Trailing));
        }
    }

    #[test]
    fn hellos_come_back(hello in strategies::hello()) {
        let frame = hello.encode();
        prop_assert_eq!(orden::wire::decode(&frame), Ok(ClientMessage::Hello(hello)));
    }

    #[test]
    fn publishes_come_back(first in 1..u64::MAX >> 1, sent in vec(bytes(), 1..20)) {
        let mut frame = PublishFrame::new(ClientSequence(first));
        for payload in &sent {
            frame.push(payload);
        }
        let frame = frame.finish();
        let Ok(ClientMessage::Publish(publish)) = orden::wire::decode(&frame) else {
            panic!("not taken for a publish");
        };
        prop_assert_eq!(publish.first, ClientSequence(first));
        prop_assert_eq!(publish.count as usize, sent.len());
        prop_assert_eq!(publish.payloads().collect::<Vec<_>>(), sent);
    }

    #[test]
    fn replies_come_back((message, frame) in strategies::reply()) {
        prop_assert_eq!(reply::decode(&frame), Ok(message));
    }

    #[test]
    fn sessions_come_back(entries in vec(strategies::session(), 1..5)) {
        let mut encoded = Vec::new();
        for entry in &entries {
            let before = encoded.len();
            entry.encode(&mut encoded);
            prop_assert_eq!(encoded.len() - before, entry.encoded_len());
        }
        let mut rest = &encoded[..];
        for entry in entries {
            let (decoded, length) = SessionEntry::decode(rest).unwrap();
            prop_assert_eq!(decoded, entry);
            rest = &rest[length..];
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn batches_come_back(batches in vec(strategies::batch(), 1..4)) {
        let stretch: Vec<u8> = batches.iter().flat_map(|batch| batch.bytes.clone()).collect();
        let said: Vec<_> = batches.iter().flat_map(|batch| &batch.payloads).collect();
        let read: Result<Vec<Record<'_>>, _> = batch::records(&stretch).collect();
        let read: Vec<_> = read.unwrap().iter().map(|record| record.payload.to_vec()).collect();
        prop_assert_eq!(read.iter().collect::<Vec<_>>(), said);
        for batch in &batches {
            let header = batch::verify(&batch.bytes).unwrap();
            prop_assert_eq!(header.length, batch.bytes.len());
            prop_assert_eq!(header.count as usize, batch.payloads.len());
        }
    }

    #[test]
    fn no_changed_bit_of_a_batch_goes_unseen(
        batch in strategies::batch(),
        at: prop::sample::Index,
        bit in 0..8,
    ) {
        let mut bytes = batch.bytes;
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        prop_assert!(batch::verify(&bytes).is_err());
    }

    /// A header that is right in itself, over a body that is not, as a broken broker makes it.
    #[test]
    fn no_batch_makes_a_reader_panic(
        kind in prop::sample::select(vec![Kind::Messages, Kind::Sessions]),
        (count, first) in (prop_oneof![0_u32..4, any::<u32>()], any::<u64>()),
        body in strategies::batch().prop_flat_map(|batch| nearly(batch.body())),
    ) {
        let mut bytes = [vec![0; batch::HEADER_LEN], body].concat();
        let header = strategies::header(kind, count, first);
        header.seal(&mut bytes);
        if let Ok(header) = Header::decode(&bytes) {
            prop_assert!(header.end().0 >= header.first.0);
        }
        let _ = batch::verify(&bytes);
        prop_assert!(batch::records(&bytes).count() <= bytes.len());
    }

    #[test]
    fn no_bytes_make_a_decoder_panic(frame in strategies::any_frame().prop_flat_map(nearly)) {
        let _ = orden::wire::decode(&frame);
        let _ = (binary::decode(&frame), json::decode(&frame), native::decode(&frame));
        let _ = (binary::decode_delivery(&frame), json::decode_delivery(&frame));
        let _ = (Record::decode(&frame), Record::verify(&frame), SessionEntry::decode(&frame));
        let _ = batch::verify(&frame);
        if let Ok(reply::BrokerMessage::Messages(batches)) = reply::decode(&frame) {
            let _ = batch::records(batches).count();
        }
    }

    #[test]
    fn a_payload_crosses_between_dialects_unchanged(
        name in strategies::name(),
        named: bool,
        rest in bytes(),
    ) {
        let prefix = if named { [name.as_bytes(), b": "].concat() } else { Vec::new() };
        let payload = [prefix, rest].concat();
        let (flags, ordered) = rendering::split(&name, &payload);
        let record = strategies::record(name.as_bytes(), flags, ordered);
        prop_assert_eq!(rendering::parts(&record).concat(), payload);
    }
}
