//! Machines with cables between: network namespaces whose bridges' ports can be closed. What is
//! sent through a closed port vanishes without a word, to neither end.

use std::fs;
use std::process::{Child, Command, Stdio};

use rustix::process::geteuid;

use crate::poll;

/// Says that the process has a network of its own.
const INSIDE: &str = "ORDEN_NETWORK";

/// A bridge, to which machines have a cable each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lan {
    /// Members and their brokers.
    Members,
    /// Brokers and the servers of their stream.
    Stream,
    /// Those servers among each other.
    Servers,
}

impl Lan {
    const ALL: [Self; 3] = [Self::Members, Self::Stream, Self::Servers];

    fn letter(self) -> char {
        match self {
            Self::Members => 'm',
            Self::Stream => 's',
            Self::Servers => 'r',
        }
    }

    /// The address of a machine on it; 0 is the test itself.
    pub fn address(self, machine: usize) -> String {
        format!("10.77.{}.{}", self as u8 + 1, machine + 1)
    }
}

/// Machines, numbered from 1; they go with it.
pub struct Network {
    machines: Vec<Child>,
}

/// Goes on as a program in a network of its own, with these arguments; says whether this is that
/// program.
///
/// # Panics
/// If that program fails, or there can be none.
pub fn enter(arguments: &[&str]) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let program = std::env::current_exe().expect("it runs");
    let mut command = Command::new("unshare");
    if !geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--net", "--"]).arg(program).args(arguments);
    let status = command.env(INSIDE, "1").status();
    let status = status.expect("unshare, of util-linux");
    assert!(status.success(), "{arguments:?} in a network: {status}");
    false
}

fn ip(words: &str) {
    run(Command::new("ip").args(words.split(' ')));
}

fn run(command: &mut Command) {
    let status = command.status().expect("ip and bridge, of iproute2");
    assert!(status.success(), "{command:?}: {status}");
}

impl Network {
    /// So many machines, each with a cable to each bridge.
    pub fn lay(machines: usize) -> Self {
        ip("link set lo up");
        for lan in Lan::ALL {
            let bridge = format!("br-{}", lan.letter());
            ip(&format!("link add {bridge} type bridge"));
            ip(&format!("addr add {}/24 dev {bridge}", lan.address(0)));
            ip(&format!("link set {bridge} up"));
        }
        let mut network = Self {
            machines: Vec::new(),
        };
        for machine in 1..=machines {
            network.add(machine);
        }
        network
    }

    fn add(&mut self, machine: usize) {
        let mut command = Command::new("unshare");
        command.args(["--net", "--", "sleep", "infinity"]);
        let child = command.stdin(Stdio::null()).spawn().expect("unshare");
        let pid = child.id();
        self.machines.push(child);
        let space = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/net")).ok();
        let is_apart = || (space(&pid.to_string())? != space("self")?).then_some(());
        poll(is_apart, "a namespace of its own");
        self.inside(machine, "ip link set lo up");
        for lan in Lan::ALL {
            let port = port(lan, machine);
            let bridge = format!("br-{}", lan.letter());
            let address = lan.address(machine);
            ip(&format!(
                "link add {port} type veth peer name {bridge} netns {pid}"
            ));
            ip(&format!("link set {port} master {bridge}"));
            ip(&format!("link set {port} up"));
            self.inside(machine, &format!("ip addr add {address}/24 dev {bridge}"));
            self.inside(machine, &format!("ip link set {bridge} up"));
        }
    }

    fn inside(&self, machine: usize, words: &str) {
        let prefix = self.prefix(machine);
        run(Command::new(&prefix[0])
            .args(&prefix[1..])
            .args(words.split(' ')));
    }

    /// What a command begins with that runs on a machine.
    pub fn prefix(&self, machine: usize) -> Vec<String> {
        let pid = self.machines[machine - 1].id();
        format!("nsenter -t {pid} --net --")
            .split(' ')
            .map(str::to_owned)
            .collect()
    }

    /// A machine's port carries nothing more.
    pub fn cut(&self, lan: Lan, machine: usize) {
        set_port(lan, machine, "0");
    }

    /// It carries everything again.
    pub fn mend(&self, lan: Lan, machine: usize) {
        set_port(lan, machine, "3");
    }
}

fn port(lan: Lan, machine: usize) -> String {
    format!("{}{machine}", lan.letter())
}

/// Disabled, or forwarding, in the numbers of the spanning tree protocol.
fn set_port(lan: Lan, machine: usize, state: &str) {
    let port = port(lan, machine);
    run(Command::new("bridge").args(["link", "set", "dev", &port, "state", state]));
}

impl Drop for Network {
    fn drop(&mut self) {
        for machine in &mut self.machines {
            // It only sleeps; that it has ended already is as good.
            machine.kill().ok();
            machine.wait().ok();
        }
    }
}
