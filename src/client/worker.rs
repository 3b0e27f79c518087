//! The client's own thread: it drives the connection, and talks to the application.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError};

use super::connection::{self, Connection};
use super::deliveries::Deliveries;
use super::error::Stop;
use super::options::Observer;
use super::shared::Shared;
use super::transport::TransportError;
use crate::core::Time;
use crate::core::participant::{Ending, Event, PublishError};
use crate::net::Clock;
use crate::net::waker::Sleeper;
use crate::wire::OrderNumber;
use crate::wire::native::Goodbye;

/// Frames of deliveries that wait for the application. The broker's window ends before, so this
/// bounds what it may be configured to.
pub(super) const INBOX: usize = 4096;
/// Frames that are taken in before the thread looks at anything else.
const BURST: usize = 64;
/// How long a goodbye may wait for its answer.
const GOODBYE: Duration = Duration::from_secs(2);

pub(super) struct Worker {
    connection: Connection,
    clock: Clock,
    sleeper: Sleeper,
    shared: Arc<Shared>,
    inbox: Sender<Deliveries>,
    observer: Option<Observer>,
    /// Deliveries for which the inbox had no room.
    held: Option<Deliveries>,
    /// Messages for which the machine has no room.
    queue: VecDeque<Vec<u8>>,
    /// The number after the last one that the machine knows to be processed.
    processed: OrderNumber,
    course: Course,
}

#[derive(Clone, Copy, Debug)]
enum Course {
    /// Business as usual.
    Serving,
    /// Confirmations are waited for until then.
    Closing(Goodbye, Time),
    /// Goodbye is said; its answer is waited for until then.
    Leaving(Goodbye, Time),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Activity {
    /// There may be more to do at once.
    Busy,
    /// There is nothing to do before something happens.
    Idle,
}

impl Worker {
    pub(super) fn new(
        connection: Connection,
        shared: Arc<Shared>,
        sleeper: Sleeper,
        inbox: Sender<Deliveries>,
        observer: Option<Observer>,
    ) -> Self {
        Self {
            connection,
            clock: Clock::start(),
            sleeper,
            shared,
            inbox,
            observer,
            held: None,
            queue: VecDeque::new(),
            processed: OrderNumber(0),
            course: Course::Serving,
        }
    }

    /// Runs until the session is over.
    pub(super) fn run(mut self) {
        // If this thread panics, nobody may wait for it for ever.
        let _end = End(Arc::clone(&self.shared));
        let stop = loop {
            match self.round() {
                Ok(()) => {}
                Err(stop) => break stop,
            }
        };
        // Before the inbox is seen to end, so that whoever sees it finds the reason.
        self.shared.stop(stop);
    }

    fn round(&mut self) -> Result<(), Stop> {
        let now = self.clock.now();
        self.acknowledge(now);
        self.publish()?;
        self.connection.pump(now)?;
        let activity = self.deliver(now)?;
        let heard = self.hear()?;
        self.say_goodbye(now)?;
        if activity == Activity::Idle && heard == Activity::Idle {
            self.sleep()?;
        }
        Ok(())
    }

    /// Tells the machine what the application has processed.
    fn acknowledge(&mut self, now: Time) {
        let processed = self.shared.processed();
        if let Some(order) = processed.0.checked_sub(1).map(OrderNumber)
            && processed > self.processed
        {
            self.processed = processed;
            let known = self.connection.acknowledge(now, order);
            debug_assert_eq!(known, Ok(()), "the application was given it");
        }
    }

    /// Hands the machine what it has room for.
    fn publish(&mut self) -> Result<(), Stop> {
        if self.queue.is_empty() {
            self.shared.outbox.take(&mut self.queue);
        }
        while let Some(message) = self.queue.front() {
            match self.connection.try_publish(message) {
                Ok(_) => self.queue.pop_front(),
                Err(PublishError::TooLarge { most }) => return Err(Stop::TooLarge(most)),
                // There will be room later; or it is over, and an event says why.
                Err(_) => break,
            };
        }
        Ok(())
    }

    /// Takes deliveries in, as many as the application has room for.
    fn deliver(&mut self, now: Time) -> Result<Activity, Stop> {
        for _ in 0..BURST {
            let deliveries = match self.held.take() {
                Some(held) => held,
                None => match self.connection.next_deliveries(now)? {
                    Some(deliveries) => deliveries,
                    None => return Ok(Activity::Idle),
                },
            };
            deliveries.verify().map_err(Stop::Nonsense)?;
            match self.inbox.try_send(deliveries) {
                Err(TrySendError::Full(deliveries)) => {
                    self.held = Some(deliveries);
                    self.shared.is_inbox_full.store(true, Ordering::SeqCst);
                    return Ok(Activity::Idle);
                }
                // If the application is gone, what it has not processed is not acknowledged.
                Ok(()) | Err(TrySendError::Disconnected(_)) => {}
            }
        }
        Ok(Activity::Busy)
    }

    /// Passes on what has happened to the session.
    fn hear(&mut self) -> Result<Activity, Stop> {
        let mut activity = Activity::Idle;
        while let Some(event) = self.connection.next_event() {
            // First, or a thread that waits for a confirmation would go on and not find its number.
            if let Some(observer) = &mut self.observer {
                observer(&event);
            }
            match &event {
                Event::Welcomed(welcome) => {
                    let largest = usize::try_from(welcome.largest_message).unwrap_or(usize::MAX);
                    let last = self
                        .connection
                        .machine()
                        .last_sequence()
                        .unwrap_or_default();
                    self.shared.welcomed(last, largest, welcome.begin);
                }
                Event::Confirmed(run) => {
                    self.shared.confirmed(run);
                    // There is room for more.
                    activity = Activity::Busy;
                }
                Event::OrderedBefore { first, count } => {
                    self.shared.ordered_before(*first, *count);
                    activity = Activity::Busy;
                }
                _ => {}
            }
            match event {
                Event::Ended(Ending::Departed) => return Err(Stop::Closed),
                Event::Ended(ending) => return Err(Stop::Ended(ending)),
                _ => {}
            }
        }
        Ok(activity)
    }

    /// Goes, if the application wants to, step by step.
    fn say_goodbye(&mut self, now: Time) -> Result<(), Stop> {
        match self.course {
            Course::Serving => {
                if let Some(farewell) = self.shared.farewell() {
                    self.course = Course::Closing(farewell.goodbye, now + farewell.patience);
                    return self.say_goodbye(now);
                }
            }
            Course::Closing(goodbye, until) => {
                let is_done = self.is_done();
                if is_done || until <= now {
                    // With messages unconfirmed the session has to stay: it alone knows whether
                    // they are ordered.
                    let goodbye = if is_done { goodbye } else { Goodbye::Away };
                    self.acknowledge(now);
                    self.connection.leave(goodbye);
                    self.connection.pump(now)?;
                    self.course = Course::Leaving(goodbye, now + GOODBYE);
                    self.hear()?;
                }
            }
            Course::Leaving(goodbye, until) if until <= now => {
                return Err(match goodbye {
                    Goodbye::Away => Stop::Closed,
                    Goodbye::Leave => Stop::Ended(Ending::Unanswered),
                });
            }
            Course::Leaving(..) => {}
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        let machine = self.connection.machine();
        self.queue.is_empty() && self.shared.outbox.is_empty() && machine.is_done()
    }

    fn sleep(&mut self) -> Result<(), TransportError> {
        self.sleeper.about_to_sleep();
        if !self.is_wanted() {
            let course = match self.course {
                Course::Serving => None,
                Course::Closing(_, until) | Course::Leaving(_, until) => Some(until),
            };
            let deadline = self.connection.deadline().into_iter().chain(course).min();
            let timeout = deadline.map(|at| self.clock.until(at));
            let wakers = [self.sleeper.descriptor()];
            if self.held.is_some() {
                connection::wait([], &wakers, timeout)?;
            } else {
                connection::wait([&self.connection], &wakers, timeout)?;
            }
        }
        self.sleeper.awake();
        Ok(())
    }

    /// Whether the application wants something that it cannot have woken us for.
    fn is_wanted(&self) -> bool {
        let has_messages = self.queue.is_empty() && !self.shared.outbox.is_empty();
        let has_room = self.held.is_some() && !self.inbox.is_full();
        let is_asked_to_go =
            matches!(self.course, Course::Serving) && self.shared.farewell().is_some();
        let has_processed = self.shared.processed() > self.processed;
        has_messages || has_room || is_asked_to_go || has_processed
    }
}

/// Lets everybody know when the thread has ended without saying why.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop(Stop::Panicked);
        }
    }
}
