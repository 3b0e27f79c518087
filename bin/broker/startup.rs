//! What the broker says when it starts to serve, or why it cannot.

use std::io::{self, ErrorKind, Write};

use orden::net::Libzmq;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

/// What the log, libzmq and the threads take, with some to spare.
const LEAST_DESCRIPTORS: u64 = 64;

const IN_USE: &str = "another program is using this address; port 0 takes any free one";
const NOT_HERE: &str =
    "this machine has no such address; `*` is every address that it has, `ip addr` lists them";

/// The first line of the log: which program this is, and what of.
pub(crate) fn introduce() {
    log::info!(
        "orden-broker {}, {}",
        env!("CARGO_PKG_VERSION"),
        Libzmq::linked()
    );
}

/// Says on stdout where the broker listens. A thread of its own waits for whoever reads it, and
/// nothing else does.
pub(crate) fn announce(endpoints: &[String]) -> io::Result<()> {
    let lines = endpoints.iter().map(|at| format!("listening on {at}\n"));
    let lines: String = lines.collect();
    let announcer = std::thread::Builder::new().name("announcer".into());
    announcer.spawn(move || {
        let mut stdout = io::stdout();
        let written = stdout.write_all(lines.as_bytes());
        if let Err(error) = written.and_then(|()| stdout.flush()) {
            let said = lines.trim_end().replace('\n', ", ");
            log::warn!("{said}, which cannot be said on stdout: {error}");
        }
    })?;
    Ok(())
}

/// Says when fewer files may be open than the broker needs before anybody connects: libzmq would
/// abort the process.
pub(crate) fn too_few_descriptors() -> Option<String> {
    let allowed = getrlimit(Resource::Nofile).current?;
    (allowed < LEAST_DESCRIPTORS).then(|| {
        format!(
            "only {allowed} files may be open: the broker needs {LEAST_DESCRIPTORS}, and one more \
             for each connection"
        )
    })
}

/// What to do about an address that cannot be listened on.
pub(crate) fn bind_hint(error: &io::Error) -> &'static str {
    let Some(errno) = Errno::from_io_error(error) else {
        return match error.kind() {
            ErrorKind::AddrInUse => IN_USE,
            ErrorKind::AlreadyExists => "name another path, or remove what lies there",
            ErrorKind::AddrNotAvailable => NOT_HERE,
            _ => "does the name before the port exist? `*` is every address of this machine",
        };
    };
    match errno {
        Errno::ADDRINUSE => IN_USE,
        Errno::ADDRNOTAVAIL | Errno::NODEV => NOT_HERE,
        Errno::ACCESS | Errno::PERM => {
            "ports below 1024, and directories of others, need privileges: choose another"
        }
        Errno::NOENT | Errno::NOTDIR => "make the directory of the socket's path first",
        Errno::ROFS => "the socket's path must be where files can be made",
        Errno::AFNOSUPPORT => "this machine has no addresses of that family",
        Errno::MFILE | Errno::NFILE => "too many files are open: ulimit -n",
        _ => "",
    }
}
