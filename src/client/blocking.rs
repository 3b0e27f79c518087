//! The client for applications: calls that wait, and a thread behind them.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::connection::Connection;
use super::deliveries::Deliveries;
use super::delivery::Delivery;
use super::error::Error;
use super::options::Options;
use super::shared::{Farewell, Shared};
use super::worker::{INBOX, Worker};
use crate::core::participant::Acknowledging;
use crate::net::waker::waker;
use crate::wire::native::{Goodbye, Start};
use crate::wire::{ClientSequence, Name, OrderNumber};

/// A member of the order.
///
/// Any number of threads may publish; one at a time takes deliveries. Whatever happens to the
/// connection, it is made again, and everything goes on where it was: nothing is lost, nothing
/// is ordered or delivered twice. What the application does not take waits at the broker, so a
/// slow application costs no memory here.
///
/// ```
/// use std::time::Duration;
///
/// use orden::client::{Client, Options};
/// use orden::wire::Name;
/// # use orden::broker::{Broker, Config, Storage, Sync};
/// # let broker = Broker::start(&Config {
/// #     endpoint: "tcp://127.0.0.1:*".to_owned(),
/// #     tcp_endpoint: None,
/// #     storage: Storage::Memory(orden::store::MemoryOptions::default()),
/// #     sync: Sync::Never,
/// #     limits: orden::core::Limits::default(),
/// #     connections: orden::broker::ConnectionLimits::default(),
/// #     security: None,
/// # })?;
/// # let address = broker.endpoints()[0].as_str();
///
/// // let address = "127.0.0.1:8081";
/// let client = Client::connect(Options::new(address.parse()?, Name::new(b"ana")?))?;
/// let order = client.publish_and_wait("hola")?;
///
/// let second = Duration::from_secs(1);
/// while let Some(delivery) = client.next_delivery(second)? {
///     println!("{} {}: {:?}", delivery.order, delivery.from, delivery.message);
///     if delivery.order == order {
///         assert_eq!(delivery.message, b"hola");
///         break;
///     }
/// }
/// client.close(second)?;
/// # broker.stopper().stop();
/// # broker.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
    inbox: Mutex<Inbox>,
    interrupt: Sender<()>,
    acknowledging: Acknowledging,
    /// `None` once it was joined.
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Inbox {
    frames: Receiver<Deliveries>,
    interrupts: Receiver<()>,
    /// The rest of the frame that the application is being given.
    ready: VecDeque<Delivery>,
    /// A frame that lies behind a gap, which the application was told.
    held: Option<Deliveries>,
    /// The number that comes next, if it is kept.
    next: OrderNumber,
    /// The last one's sender.
    sender: Option<Name>,
}

impl Client {
    /// Joins the order, or comes back to it, and waits for the broker's answer.
    ///
    /// # Errors
    /// If the address is none to connect to, the broker does not answer in time or refuses, or
    /// there is no thread to be had.
    pub fn connect(options: Options) -> Result<Self, Error> {
        let Options {
            addresses,
            context,
            keys,
            mut settings,
            limits,
            patience,
            observer,
        } = options;
        let (acknowledging, start) = (settings.acknowledging, settings.start);
        // The machine cannot know when the application has dealt with a delivery.
        settings.acknowledging = Acknowledging::ByApplication;
        let context = context.unwrap_or_default();
        let connection = Connection::open_with(&context, &addresses, keys, settings, limits)?;
        let (waker, sleeper) = waker()?;
        let shared = Arc::new(Shared::new(waker));
        let (frames_in, frames) = bounded(INBOX);
        let (interrupt, interrupts) = bounded(1);
        let worker = Worker::new(
            connection,
            Arc::clone(&shared),
            sleeper,
            frames_in,
            observer,
        );
        let thread = Builder::new()
            .name("orden-client".into())
            .spawn(move || worker.run())?;
        let client = Self {
            shared,
            inbox: Mutex::new(Inbox {
                frames,
                interrupts,
                ready: VecDeque::new(),
                held: None,
                next: OrderNumber(0),
                sender: None,
            }),
            interrupt,
            acknowledging,
            thread: Mutex::new(Some(thread)),
        };
        let begin = client.shared.wait_for_welcome(patience)?;
        lock(&client.inbox).next = match start {
            Start::Resume(order) => order,
            _ => begin,
        };
        Ok(client)
    }

    /// Has a message ordered; returns its client sequence. Waits only while too much is
    /// unconfirmed, and goes on trying while the broker is away.
    ///
    /// # Errors
    /// If the message is too large, or the session is over.
    pub fn publish(&self, message: impl Into<Vec<u8>>) -> Result<ClientSequence, Error> {
        self.push(message.into(), |_| {})
    }

    /// Has a message ordered and waits, as long as it takes, for its order number.
    ///
    /// # Errors
    /// If the message is too large, or the session is over.
    pub fn publish_and_wait(&self, message: impl Into<Vec<u8>>) -> Result<OrderNumber, Error> {
        let register = |sequence| self.shared.expect(sequence);
        let sequence = self.push(message.into(), register)?;
        self.shared.wait_for_number(sequence)
    }

    /// Waits until everything that was published is confirmed, at most for `patience`.
    ///
    /// # Errors
    /// [`Error::Unconfirmed`] if it takes longer, or the session is over.
    pub fn flush(&self, patience: Duration) -> Result<(), Error> {
        self.shared.wait_for(self.shared.outbox.last(), patience)
    }

    /// Everything up to this client sequence is confirmed. Order numbers are told to
    /// [`Options::observer`].
    pub fn confirmed(&self) -> ClientSequence {
        self.shared.confirmed_up_to()
    }

    /// The next message of the order, or `None` if there is none for so long, or somebody
    /// [interrupts](Self::interrupt). Numbers have no gaps, unless the broker did not keep what
    /// this client has missed.
    ///
    /// # Errors
    /// [`Error::Skipped`] once where there is a gap: what was built from the messages before lacks
    /// something then. Otherwise, if the session is over.
    pub fn next_delivery(&self, timeout: Duration) -> Result<Option<Delivery>, Error> {
        let mut inbox = lock(&self.inbox);
        if self.shared.is_over() {
            // What was not handed out is not processed: it waits for whoever comes next.
            return Err(self.shared.reason());
        }
        if self.acknowledging == Acknowledging::OnDelivery {
            self.shared.process_all();
        }
        if inbox.ready.is_empty() {
            if self.acknowledging == Acknowledging::OnDelivery {
                self.shared.waker.wake();
            }
            let held = inbox.held.take();
            let frame = if let Some(frame) = held {
                frame
            } else {
                select! {
                    recv(inbox.frames) -> frame => frame.map_err(|_| self.shared.reason())?,
                    recv(inbox.interrupts) -> _ => return Ok(None),
                    default(timeout) => return Ok(None),
                }
            };
            if self.shared.is_inbox_full.swap(false, Ordering::SeqCst) {
                self.shared.waker.wake();
            }
            inbox.open(frame)?;
        }
        let delivery = inbox.ready.pop_front();
        if let Some(delivery) = &delivery {
            self.shared.handed_out(delivery.order.plus(1));
        }
        Ok(delivery)
    }

    /// Has whoever waits for a delivery return at once, or the next who would wait.
    pub fn interrupt(&self) {
        // If it is full, somebody has interrupted already.
        self.interrupt.try_send(()).ok();
    }

    /// The application has processed everything up to and including `order`: it is never
    /// delivered again. Only with [`Acknowledging::ByApplication`]; otherwise a delivery counts as
    /// processed when the next one is asked for.
    ///
    /// # Errors
    /// [`Error::NotDelivered`] if the application was never given that one.
    pub fn acknowledge(&self, order: OrderNumber) -> Result<(), Error> {
        self.shared.process(order)?;
        self.shared.waker.wake();
        Ok(())
    }

    /// The client sequences that are given out and not confirmed: the first, and how many.
    pub fn unconfirmed(&self) -> Option<(ClientSequence, u64)> {
        let (last, confirmed) = (self.shared.outbox.last(), self.shared.confirmed_up_to());
        (confirmed < last).then(|| (ClientSequence(confirmed.0 + 1), last.0 - confirmed.0))
    }

    /// The most bytes that a message can have.
    pub fn largest_message(&self) -> usize {
        self.shared.largest()
    }

    /// Goes, once everything is confirmed; the session stays, for somebody of this name to come
    /// back to. From now on nothing is taken to be published, and nothing is delivered.
    ///
    /// # Errors
    /// [`Error::Unconfirmed`] if that takes longer than `patience`; or the reason for which the
    /// session is over.
    pub fn close(&self, patience: Duration) -> Result<(), Error> {
        self.go(Goodbye::Away, patience)
    }

    /// Goes, once everything is confirmed, for good: the session ends, and everybody is told.
    ///
    /// # Errors
    /// As [`close`](Self::close); with messages unconfirmed the session stays.
    pub fn leave(&self, patience: Duration) -> Result<(), Error> {
        self.go(Goodbye::Leave, patience)
    }

    fn push(
        &self,
        message: Vec<u8>,
        register: impl FnOnce(ClientSequence),
    ) -> Result<ClientSequence, Error> {
        let most = self.shared.largest();
        if message.len() > most {
            return Err(Error::TooLarge { most });
        }
        let sequence = self.shared.outbox.push(message, register)?;
        self.shared.waker.wake();
        Ok(sequence)
    }

    fn go(&self, goodbye: Goodbye, patience: Duration) -> Result<(), Error> {
        if self.acknowledging == Acknowledging::OnDelivery {
            self.shared.process_all();
        }
        self.shared.say_farewell(Farewell { goodbye, patience });
        self.join();
        match (self.shared.reason(), self.unconfirmed()) {
            (Error::Closed, None) => Ok(()),
            (Error::Closed, Some((first, count))) => Err(Error::Unconfirmed { first, count }),
            (other, _) => Err(other),
        }
    }

    fn join(&self) {
        // A panic was reported by the thread itself, and is an error for whoever asks.
        if let Some(thread) = lock(&self.thread).take() {
            thread.join().ok();
        }
    }
}

/// A lock that was poisoned guards nothing that a panic could have left half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Client {
    /// Goes at once. What is not confirmed may be ordered or not.
    fn drop(&mut self) {
        let (goodbye, patience) = (Goodbye::Away, Duration::ZERO);
        self.shared.say_farewell(Farewell { goodbye, patience });
        self.join();
    }
}

impl Inbox {
    fn open(&mut self, frame: Deliveries) -> Result<(), Error> {
        let (from, numbers) = (self.next, frame.numbers());
        if numbers.start > from {
            self.next = numbers.start;
            self.held = Some(frame);
            let to = self.next;
            return Err(Error::Skipped { from, to });
        }
        self.next = numbers.end;
        for record in frame.records() {
            let record = record.map_err(Error::Nonsense)?;
            self.ready
                .push_back(Delivery::new(&record, &mut self.sender));
        }
        Ok(())
    }
}
