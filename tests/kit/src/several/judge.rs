//! One history: of the journals, of the clients, of what was confirmed.

use orden::store::LogReader;
use orden::wire::OrderNumber;
use orden::wire::batch::{self, Header};

use super::World;

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
        assert!(
            journals.windows(2).all(|two| two[0] == two[1]),
            "journals differ"
        );
        let records: Vec<_> = batch::records(&journals[0])
            .map(|record| record.unwrap())
            .map(|record| (record.sender.to_vec(), record.payload.to_vec()))
            .collect();
        for client in &self.clients {
            let begin = usize::try_from(client.begin.unwrap()).unwrap();
            assert_eq!(client.received, records[begin..], "{}", client.name);
            let own: Vec<_> = (records.iter().enumerate())
                .filter(|(_, (sender, _))| sender == client.name.as_bytes())
                .collect();
            assert_eq!(own.len() as u64, client.says, "{}", client.name);
            for ((order, (_, payload)), sequence) in own.iter().zip(1_u64..) {
                let said = format!("{} {sequence}", client.name);
                assert_eq!(payload, said.as_bytes(), "out of order");
                let at = usize::try_from(sequence - 1).unwrap();
                assert_eq!(client.confirmed[at], *order as u64, "{said}");
            }
        }
    }
}

fn bytes_of(mut reader: Box<dyn LogReader>, next: OrderNumber) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut at = OrderNumber(0);
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
    bytes
}
