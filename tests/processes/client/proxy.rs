//! A way to the broker that can be cut.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use orden::net::Address;

/// Hands on whatever comes, until it is told to cut.
pub(crate) struct Proxy {
    pub(crate) address: Address,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Proxy {
    pub(crate) fn to(target: &Address) -> Self {
        let target = target.to_string().replace("tcp://", "");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let open = Arc::new(Mutex::new(Vec::new()));
        let streams = Arc::clone(&open);
        // Ends with the test program.
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let Ok(broker) = TcpStream::connect(&target) else {
                    continue;
                };
                let ends = [&client, &broker].map(|end| end.try_clone().unwrap());
                streams.lock().unwrap().extend(ends);
                hand_on(&client, &broker);
                hand_on(&broker, &client);
            }
        });
        Self {
            address: address.parse().unwrap(),
            open,
        }
    }

    /// Ends every connection, with whatever is under way on it.
    pub(crate) fn cut(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            // It may have ended by itself.
            stream.shutdown(Shutdown::Both).ok();
        }
    }
}

fn hand_on(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    std::thread::spawn(move || {
        let mut bytes = [0; 16 << 10];
        while let Ok(length) = from.read(&mut bytes) {
            if length == 0 || to.write_all(&bytes[..length]).is_err() {
                break;
            }
        }
        to.shutdown(Shutdown::Both).ok();
    });
}
