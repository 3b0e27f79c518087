//! Publishes and waits for the number, one message after the other, and prints the median in
//! microseconds: what the Python client is measured against, see tests/python/figures.py.

use std::time::Instant;

use orden::client::{Client, Options};
use orden::wire::Name;

#[expect(clippy::disallowed_methods, reason = "this program measures time")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, address, count, size] = &arguments[..] else {
        return Err("usage: publish_each ADDRESS COUNT SIZE".into());
    };
    let mut options = Options::new(address.parse()?, Name::new(b"publish-each")?);
    options.settings.receive = false;
    let client = Client::connect(options)?;
    let message = vec![b'x'; size.parse()?];
    let mut taken = Vec::new();
    for _ in 0..count.parse()? {
        let start = Instant::now();
        client.publish_and_wait(message.clone())?;
        taken.push(start.elapsed());
    }
    taken.sort();
    let median = taken.get(taken.len() / 2).ok_or("no message")?;
    println!("{}", median.as_secs_f64() * 1e6);
    Ok(())
}
