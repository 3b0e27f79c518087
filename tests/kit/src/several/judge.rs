//! One history: of the journals, of the clients, of what was confirmed.

use orden::store::LogReader;
use orden::wire::OrderNumber;
use orden::wire::batch::{self, Header};

use super::World;
use super::client::Client;

impl World {
    /// One history: of the journals, of the clients, of what was confirmed.
    pub(super) fn judge(&mut self) {
        let mut journals = Vec::new();
        let mut chains = Vec::new();
        let mut states = Vec::new();
        for broker in &mut self.brokers {
            let process = broker.process.take().expect("it has settled");
            let machine = process.commits.machine();
            for (what, times) in &machine.counters().refused {
                if what.starts_with("record_") {
                    *self.sometimes.entry(what).or_default() += times;
                }
            }
            chains.push(machine.applied());
            states.push(machine.state());
            journals.push(bytes_of(process.reader, machine.next_order()));
        }
        assert!(
            chains.windows(2).all(|two| two[0] == two[1]),
            "chains: {chains:?}"
        );
        assert!(
            states.windows(2).all(|two| two[0] == two[1]),
            "states differ"
        );
        // One that began with a snapshot has no more than what follows.
        let longest = journals.iter().max_by_key(|(_, bytes)| bytes.len());
        let (start, longest) = longest.expect("there is a broker");
        assert!(
            journals.iter().all(|(_, bytes)| longest.ends_with(bytes)),
            "journals differ"
        );
        let start = usize::try_from(start.0).unwrap();
        let records: Vec<_> = batch::records(longest)
            .map(|record| record.unwrap())
            .map(|record| (record.sender.to_vec(), record.payload.to_vec()))
            .collect();
        for client in &self.clients {
            let counts = [
                ("trimmed", client.trimmed),
                ("sent elsewhere", client.sent_away),
            ];
            for (what, times) in counts.into_iter().filter(|(_, times)| *times > 0) {
                *self.sometimes.entry(what).or_default() += times;
            }
            let begin = usize::try_from(client.begin.unwrap()).unwrap();
            for (order, received) in (begin..).zip(&client.received) {
                match received {
                    None => *self.sometimes.entry("gone for good").or_default() += 1,
                    Some(_) if order < start => {}
                    Some(received) => {
                        assert_eq!(*received, records[order - start], "{} {order}", client.name);
                    }
                }
            }
            assert_eq!(begin + client.received.len(), start + records.len());
            judge_publisher(client, &records, start);
        }
    }
}

/// Everything that it has said was ordered once, in its order, under the number that was
/// confirmed.
fn judge_publisher(client: &Client, records: &[(Vec<u8>, Vec<u8>)], start: usize) {
    let own: Vec<_> = (records.iter().zip(start..))
        .filter(|((sender, _), _)| sender == client.name.as_bytes())
        .collect();
    let before = client
        .confirmed
        .iter()
        .filter(|order| **order < start as u64);
    let before = before.count() as u64;
    assert_eq!(before + own.len() as u64, client.says, "{}", client.name);
    for (((_, payload), order), sequence) in own.iter().zip(before + 1..) {
        let said = format!("{} {sequence}", client.name);
        assert_eq!(payload, said.as_bytes(), "out of order");
        let at = usize::try_from(sequence - 1).unwrap();
        assert_eq!(client.confirmed[at], *order as u64, "{said}");
    }
}

/// The bytes of all batches that a journal keeps, and the number of the first message.
fn bytes_of(mut reader: Box<dyn LogReader>, next: OrderNumber) -> (OrderNumber, Vec<u8>) {
    let mut bytes = Vec::new();
    let start = reader.extent().start;
    let mut at = start;
    while at < next {
        let chunk = reader.read(at).unwrap();
        let mut rest = &chunk.bytes()[..];
        while let Ok(header) = Header::decode(rest) {
            let (batch, after) = rest.split_at(header.length);
            if header.first == at {
                bytes.extend_from_slice(batch);
                at = header.end();
            }
            rest = after;
        }
    }
    (start, bytes)
}
