//! Names that belong to keys: simulated peers have none, so this is a story of its own.

use orden::core::{Grant, Grants, Input, Limits, Now, Packet, Proof, Recovered, Seed, Sequencer};
use orden::wire::{Acked, LogId, Name, OrderNumber, PublicKey, binary};

fn proof(number: u8) -> Proof {
    Proof {
        key: PublicKey::new([number; 32]),
        connection: u64::from(number),
    }
}

/// Ana has a name and a key. Eve has a key, and comes with Ana's routing id.
pub(crate) fn check() -> Result<(), String> {
    let grant = |number: u8, name: &[u8]| {
        let grant = Grant {
            names: [Name::new(name).unwrap()].into(),
            ..Grant::default()
        };
        (proof(number).key, grant)
    };
    let (now, log) = (Now::default(), Recovered::nothing(LogId(1), 0));
    let machine = Sequencer::new(now, Limits::default(), log, Seed::default());
    let mut machine = machine.guarded_by(Grants::new([grant(1, b"ana"), grant(2, b"eve")]));
    let mut says = |number: u8, body: &[u8]| {
        machine.step(
            now,
            Input::Packet(Packet {
                id: b"ana",
                delimited: false,
                body,
                excess: false,
                proof: Some(proof(number)),
            }),
        );
        let writes = machine.writes(now);
        machine.step(now, Input::Committed(writes.index));
        let _sent = machine.ready(now);
        let ana = machine
            .status()
            .find(|member| member.name.as_bytes() == b"ana");
        (
            machine.next_order(),
            ana.map(|ana| (ana.floor, ana.present)),
        )
    };
    says(1, &binary::encode_ack(Acked::Nothing));
    let text = |text: &[u8]| [&[0; 33], text].concat();
    let before = says(1, &text(b"hola"));
    let after = says(2, &binary::encode_ack(Acked::UpTo(OrderNumber(1))));
    if after != before {
        return Err(format!(
            "with another's ACK {before:?} has become {after:?}"
        ));
    }
    let after = says(2, &text(b"adios"));
    if after != before {
        return Err(format!(
            "with another's message {before:?} has become {after:?}"
        ));
    }
    Ok(())
}
