//! Records of the stream that several brokers share: what was encoded is decoded again, and no
//! bytes make a decoder panic.

use orden::wire::native::{self, PublishFrame};
use orden::wire::position_mark::{BrokerEntry, PositionMark, SeatEntry};
use orden::wire::position_mark::{SnapshotsEntry, WholeEntry};
use orden::wire::stream_record::{self, Floor, Founding, HEADER_LEN, Header, Part};
use orden::wire::stream_record::{Proposal, Sitter};
use orden::wire::{ClientMessage, ClientSequence, Dialect, Epoch, LogId, Name, OrderNumber};
use orden::wire::{Position, PublicKey, Writer};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn name() -> impl Strategy<Value = Name> {
    "[a-z]{1,9}".prop_map(|text| Name::new(text.as_bytes()).expect("letters are a name"))
}

fn key() -> impl Strategy<Value = PublicKey> {
    any::<[u8; 32]>().prop_map(PublicKey::new)
}

fn dialect() -> impl Strategy<Value = Dialect> {
    let all = [
        Dialect::Binary,
        Dialect::Json,
        Dialect::Raw,
        Dialect::Native,
    ];
    select(all.to_vec())
}

fn sit() -> impl Strategy<Value = Proposal<'static>> {
    let numbers = (any::<u32>(), any::<u64>(), any::<u32>(), any::<[bool; 3]>());
    let start = proptest::option::of(any::<u64>().prop_map(OrderNumber));
    (
        numbers,
        name(),
        dialect(),
        start,
        proptest::option::of(key()),
    )
        .prop_map(
            |((seat, life, attempt, [delimited, transient, owned]), name, dialect, start, key)| {
                Proposal::Sit(Sitter {
                    seat,
                    life,
                    attempt,
                    name,
                    dialect,
                    delimited,
                    transient,
                    owned,
                    start,
                    key,
                })
            },
        )
}

fn floor() -> impl Strategy<Value = Floor> {
    (any::<u32>(), dialect(), any::<bool>(), any::<[u64; 2]>()).prop_map(
        |(seat, dialect, delimited, [floor, heard])| Floor {
            seat,
            dialect,
            delimited,
            floor: OrderNumber(floor),
            heard,
        },
    )
}

fn founding() -> impl Strategy<Value = Founding> {
    (any::<[u64; 5]>(), any::<[u32; 4]>(), any::<bool>()).prop_map(
        |(
            [log_id, secret, message_bytes, snapshot_bytes, stream],
            [window, name, members, level],
            is_seeded,
        )| {
            Founding {
                log_id: LogId(log_id),
                secret,
                message_bytes,
                publish_window: window,
                name_bytes: name,
                members,
                snapshot_bytes,
                level,
                stream,
                is_seeded,
            }
        },
    )
}

fn whole_at(position: u64) -> WholeEntry {
    WholeEntry {
        position: Position(position),
        bytes: position / 2,
    }
}

/// Everything but messages, which borrow.
fn proposal() -> impl Strategy<Value = Proposal<'static>> {
    prop_oneof![
        founding().prop_map(Proposal::Found),
        (name(), any::<u64>(), any::<u32>()).prop_map(|(broker, after, level)| Proposal::Open {
            broker,
            after: Writer(after),
            level
        }),
        (name(), any::<u64>(), any::<u64>()).prop_map(|(broker, writer, last)| Proposal::Gone {
            broker,
            writer: Writer(writer),
            last
        }),
        sit(),
        any::<u32>().prop_map(|seat| Proposal::Leave { seat }),
        any::<u32>().prop_map(|seat| Proposal::Away { seat }),
        vec(floor(), 0..4).prop_map(Proposal::Floors),
        (name(), any::<u64>()).prop_map(|(name, since)| Proposal::Expire {
            name,
            since: Position(since)
        }),
        (any::<u32>(), key()).prop_map(|(seat, key)| Proposal::Own { seat, key }),
        name().prop_map(|name| Proposal::End { name }),
        name().prop_map(|name| Proposal::Kick { name }),
        any::<[u64; 2]>().prop_map(|[position, chain]| Proposal::Diverged {
            position: Position(position),
            chain
        }),
        any::<u32>().prop_map(Proposal::Level),
        (any::<[u64; 2]>(), any::<[u32; 2]>()).prop_map(|([of, digest], [index, count])| {
            Proposal::Part(Part {
                of: Position(of),
                index,
                count,
                digest,
                bytes: b"a part",
            })
        }),
    ]
}

fn record(proposals: &[Proposal<'_>], numbers: [u64; 6]) -> (Header, Vec<u8>) {
    let [log_id, writer, number, wall, seen, chain] = numbers;
    let mut bytes = vec![0; HEADER_LEN];
    for proposal in proposals {
        proposal.encode(&mut bytes);
    }
    let header = Header {
        count: u32::try_from(proposals.len()).expect("a few"),
        log_id: LogId(log_id),
        writer: Writer(writer),
        number,
        wall,
        seen: Position(seen),
        chain,
    };
    header.seal(&mut bytes);
    (header, bytes)
}

fn seat() -> impl Strategy<Value = SeatEntry> {
    let numbers = (any::<u64>(), any::<u32>(), any::<u64>(), any::<u32>());
    let rest = (any::<bool>(), any::<u64>(), proptest::option::of(key()));
    (name(), name(), numbers, rest).prop_map(
        |(name, home, (writer, seat, life, attempt), (transient, away, key))| SeatEntry {
            name,
            transient,
            home,
            writer: Writer(writer),
            seat,
            life,
            attempt,
            away_since: Position(away),
            key,
        },
    )
}

fn broker() -> impl Strategy<Value = BrokerEntry> {
    let numbers = (any::<[u64; 2]>(), any::<[u32; 2]>(), any::<bool>());
    (name(), numbers).prop_map(
        |(name, ([writer, last], [epoch, level], gone))| BrokerEntry {
            name,
            writer: Writer(writer),
            last,
            epoch: Epoch(epoch),
            gone,
            level,
        },
    )
}

proptest! {
    #[test]
    fn a_record_comes_back(
        proposals in vec(proposal(), 0..6),
        payloads in vec(vec(any::<u8>(), 0..9), 1..5),
        first in 1..u64::MAX / 2,
        seat: u32,
        numbers: [u64; 6],
    ) {
        let mut frame = PublishFrame::new(ClientSequence(first));
        for payload in &payloads {
            frame.push(payload);
        }
        let frame = frame.finish();
        let Ok(ClientMessage::Publish(publish)) = native::decode(&frame) else {
            panic!("a publish is one");
        };
        let mut all = proposals;
        all.push(Proposal::Publish { seat, publish });
        all.push(Proposal::Say { seat, payload: &payloads[0] });
        let (header, bytes) = record(&all, numbers);
        prop_assert_eq!(stream_record::decode(&bytes), Ok((header, all)));
    }

    #[test]
    fn no_changed_bit_of_a_record_goes_unseen(
        proposals in vec(proposal(), 0..4),
        numbers: [u64; 6],
        at: prop::sample::Index,
        bit in 0..8_u32,
    ) {
        let (_, mut bytes) = record(&proposals, numbers);
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        prop_assert!(stream_record::decode(&bytes).is_err());
    }

    /// With a checksum that fits, so that what lies behind it is looked at.
    #[test]
    fn no_bytes_make_the_decoder_panic(
        proposals in vec(proposal(), 1..4),
        numbers: [u64; 6],
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut: prop::sample::Index,
        is_cut: bool,
    ) {
        let (header, mut bytes) = record(&proposals, numbers);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if is_cut {
            bytes.truncate(HEADER_LEN + cut.index(bytes.len() - HEADER_LEN + 1));
        }
        let _any = stream_record::decode(&bytes);
        header.seal(&mut bytes);
        let _any = stream_record::decode(&bytes);
        let _any = PositionMark::decode(&bytes);
    }

    #[test]
    fn a_position_mark_comes_back(
        brokers in vec(broker(), 0..4),
        seats in vec(seat(), 0..4),
        [position, chain, until, due]: [u64; 4],
        whole in vec(any::<u64>(), 0..3),
        [checksum, epoch]: [u32; 2],
        founding in proptest::option::of(founding()),
        cut: prop::sample::Index,
    ) {
        let mark = PositionMark {
            position: Position(position),
            chain,
            checksum,
            epoch: Epoch(epoch),
            snapshots: SnapshotsEntry {
                until,
                due: whole_at(due),
                ..SnapshotsEntry::default()
            },
            founding,
            brokers,
            seats,
            whole: whole.into_iter().map(whole_at).collect(),
        };
        let mut bytes = Vec::new();
        mark.encode(&mut bytes);
        prop_assert_eq!(PositionMark::decode(&bytes), Ok(mark));
        bytes.truncate(cut.index(bytes.len()));
        prop_assert!(PositionMark::decode(&bytes).is_err());
    }
}
