//! Keys for a run that is encrypted: one pair for the broker, one for all peers.

use std::path::{Path, PathBuf};

use orden::broker::Security;
use orden::net::{KeyError, Keys, generate_keys, read_secret_key};
use orden::wire::SecretKey;
use tempfile::TempDir;

use super::error::Error;

const BROKER: &str = "broker";
const PEER: &str = "peer";
const AUTHORIZED: &str = "authorized";

/// Makes both pairs; they go away with the directory.
pub(super) fn make() -> Result<(TempDir, Keys), Error> {
    let directory = tempfile::tempdir();
    let directory = directory.map_err(Error::system("make", Path::new("a directory for keys")))?;
    generate_keys(directory.path(), BROKER, Vec::new()).map_err(failed)?;
    let authorized = directory.path().join(AUTHORIZED);
    generate_keys(&authorized, PEER, Vec::new()).map_err(failed)?;
    let own = authorized.join(format!("{PEER}.key_secret"));
    let server = directory.path().join(format!("{BROKER}.key"));
    let keys = Keys::read(&own, &server);
    Ok((
        directory,
        keys.map_err(|bad| Error::Server(bad.to_string()))?,
    ))
}

/// The broker's secret.
pub(super) fn secret(directory: &Path) -> Result<SecretKey, Error> {
    Ok(read_secret_key(&secret_file(directory)).map_err(failed)?.1)
}

/// What the broker is told.
pub(super) fn security(directory: &Path) -> Result<Security, Error> {
    Ok(Security {
        secret: secret(directory)?,
        authorized: directory.join(AUTHORIZED),
    })
}

fn secret_file(directory: &Path) -> PathBuf {
    directory.join(format!("{BROKER}.key_secret"))
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn failed(error: KeyError) -> Error {
    Error::Server(error.to_string())
}
