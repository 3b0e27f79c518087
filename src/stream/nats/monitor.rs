//! The servers' monitoring pages: only there it stands whether they sync what they take.

use std::io;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(2);
const LARGEST: u64 = 4 << 20;

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    server_name: String,
    jetstream: Option<JetStream>,
}

#[derive(Deserialize)]
struct JetStream {
    config: Option<Config>,
}

#[derive(Deserialize)]
struct Config {
    #[serde(default)]
    sync_always: bool,
}

/// What is wrong with the server behind a monitoring address; `Err` if it does not say.
pub(super) async fn look(address: &str) -> Result<Option<String>, String> {
    let page = tokio::time::timeout(PATIENCE, varz(address)).await;
    let page = page
        .map_err(|_| format!("{address}: no answer"))?
        .map_err(|error| format!("{address}: {error}"))?;
    let config = page.jetstream.and_then(|jetstream| jetstream.config);
    let is_synced = config.is_some_and(|config| config.sync_always);
    let name = page.server_name;
    Ok((!is_synced).then(|| {
        format!(
            "server {name} does not sync before it confirms: a power cut may take records that \
             members have seen; set `sync_interval: always` in its jetstream block"
        )
    }))
}

async fn varz(address: &str) -> io::Result<Page> {
    let host = address.strip_prefix("http://").unwrap_or(address);
    let host = host.trim_end_matches('/');
    let mut connection = TcpStream::connect(host).await?;
    let request = format!("GET /varz HTTP/1.0\r\nHost: {host}\r\n\r\n");
    connection.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    connection.take(LARGEST).read_to_end(&mut answer).await?;
    let body = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let body = body.map_or(&answer[..0], |at| &answer[at + 4..]);
    Ok(serde_json::from_slice(body)?)
}
