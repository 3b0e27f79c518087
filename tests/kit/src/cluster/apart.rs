//! The same on machines of their own, with cables that can be pulled.

use super::{NAMES, Stage, create, place};
use crate::network::{Lan, Network};
use crate::programs::broker::Broker;
use crate::programs::nats::NatsServers;

impl Stage {
    /// Everything serves, on six machines: brokers on the first three, servers on the others.
    pub fn set_apart() -> Self {
        let network = Network::lay(6);
        let servers = NatsServers::on(&network, [4, 5, 6]);
        create(&servers);
        let brokers = (1..).zip(NAMES).map(|(machine, name)| {
            let address = format!("{}:0", Lan::Members.address(machine));
            let place = place(&servers);
            let mut flags: Vec<&str> = place.iter().map(String::as_str).collect();
            flags.extend(["--broker-name", name, "--max-message-bytes", "70000"]);
            flags.extend(["--address", &address, "--tcp-address", &address]);
            Broker::start_behind(network.prefix(machine), &flags)
        });
        let brokers = brokers.collect();
        Self::begin(servers, brokers, Some(network))
    }

    /// The port of a machine is closed for so long: what is sent through it is lost, and
    /// no end is told.
    pub fn cut_for(&mut self, what: &'static str, lan: Lan, machine: usize, milliseconds: u64) {
        let cut = |stage: &mut Self| stage.network().cut(lan, machine);
        let mend = |stage: &mut Self| stage.network().mend(lan, machine);
        self.fault_for(what, milliseconds, cut, mend);
    }

    fn network(&self) -> &Network {
        self.network.as_ref().expect("they are apart")
    }
}
