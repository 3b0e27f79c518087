//! For scripts, and for terminals that cannot edit a line: lines of standard input out, messages
//! in, and an end.

use std::io::{BufRead, BufReader, ErrorKind, IsTerminal, Read, stdin, stdout};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use orden::client::Error;
use orden::wire::OrderNumber;

use super::flags::{Cli, use_colour};
use super::logging;
use super::seat::{self, LEAVE, Outcome, Seat};
use super::show::Show;
use super::signals::{Course, Signals};
use super::streams::{self, Input};
use super::threads::spawn;

/// How long a client that is told to end waits for confirmations.
const HURRY: Duration = Duration::from_secs(2);
/// How long a reader of our output may keep us from leaving.
const STUCK: Duration = Duration::from_secs(6);
/// How long nothing may come back of our own messages, which are confirmed: a key may not receive.
const ECHO: Duration = Duration::from_secs(2);
/// The most bytes that are printed at once.
const PRINT_BYTES: usize = 64 << 10;

/// How far printing is, for those who wait for it.
#[derive(Default)]
struct Printed {
    end: Mutex<OrderNumber>,
    changed: Condvar,
}

/// Runs until the input ends, enough is printed, or something fails.
pub(crate) fn run(cli: &Cli, signals: &Signals) -> Result<Outcome, String> {
    logging::start(cli.logging.log_level)?;
    let name = seat::name(cli)?;
    let observes = cli.session.observe;
    if cli.session.name.is_none() && !observes {
        logging::say(&format!("orden-client: this is {name}"));
    }
    let seat = Arc::new(Seat::take(cli, name)?);
    signals.leave_by(course(&seat));
    leave_unread(&seat)?;
    let printed = Arc::new(Printed::default());
    let stays = cli.input.follow || cli.output.count.is_some();
    let patience = cli.input.patience().unwrap_or(Duration::MAX);
    let receives = !cli.output.publish_only;
    let shared = (Arc::clone(&seat), Arc::clone(&printed));
    let publish = move || {
        let (seat, printed) = shared;
        read(&seat);
        let flushed = seat.client.flush(patience);
        if flushed.is_ok() && receives && !stays {
            printed.wait_for(seat.begin(), seat.own_end());
        }
        if flushed.is_err() || !stays {
            seat.ask_to_leave();
        }
    };
    if !observes {
        spawn("stdin", publish)?;
    }
    let show = Show {
        format: cli.output.format,
        colour: use_colour(&stdout()),
    };
    match print(&seat, &printed, show, cli.output.count) {
        Ok(()) => Ok(seat.leave(HURRY)),
        // The program that reads us has seen enough, or the terminal is gone.
        Err(error) if is_unread(&error) => Ok(seat.leave(HURRY)),
        Err(error) => {
            let cause = format!("cannot write to standard output: {error}");
            Ok(seat.leave(HURRY).but(cause))
        }
    }
}

/// What signals do.
fn course(seat: &Arc<Seat>) -> Course {
    let seat = Arc::clone(seat);
    Course {
        leave: Box::new(move || {
            seat.ask_to_leave();
            let hang = spawn("watchdog", || {
                // If nobody reads what is printed, printing never ends.
                crossbeam_channel::never::<()>().recv_timeout(STUCK).ok();
                logging::exit(3);
            });
            if let Err(error) = hang {
                log::error!("{error}");
            }
        }),
        abandon: Box::new(|| {}),
    }
}

/// Leaves when the reader of our output has gone, also while there is nothing to print.
fn leave_unread(seat: &Arc<Seat>) -> Result<(), String> {
    let seat = Arc::clone(seat);
    spawn("reader", move || match streams::wait_until_unread() {
        Ok(()) => seat.ask_to_leave(),
        Err(error) => log::error!("cannot watch standard output: {error}"),
    })
}

/// Publishes the lines of standard input until its end, or the session's.
fn read(seat: &Seat) {
    let is_typed = stdin().is_terminal();
    let mut input = BufReader::new(Input);
    for number in 1_u64.. {
        let mut line = Vec::new();
        // A line that is too long must not fill the memory before it is refused.
        let most = (seat.client.largest_message() as u64).saturating_add(3);
        match input.by_ref().take(most).read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                log::error!("cannot read standard input: {error}");
                return seat.note_refused(number);
            }
        }
        if line.pop_if(|last| *last == b'\n').is_some() {
            // Files from Windows end their lines with both.
            line.pop_if(|last| *last == b'\r');
        }
        if is_typed && line == LEAVE.as_bytes() {
            return seat.end_session();
        }
        match seat.client.publish(line) {
            Ok(_) => {}
            // Nobody waits for this line any more.
            Err(Error::Closed) => return,
            Err(error) => {
                log::error!("line {number}: {error}");
                return seat.note_refused(number);
            }
        }
    }
}

/// Prints messages until there are enough, somebody asks to leave, or the session is over: the
/// reason is told by leaving it.
fn print(seat: &Seat, printed: &Printed, show: Show, count: Option<u64>) -> std::io::Result<()> {
    let mut left = count.unwrap_or(u64::MAX);
    let mut text = String::new();
    while left > 0 && !seat.is_leaving() {
        let mut last = None;
        let mut patience = Duration::MAX;
        while left > 0 && text.len() < PRINT_BYTES {
            match seat.client.next_delivery(patience) {
                Ok(Some(delivery)) => {
                    show.write(&delivery, &mut text);
                    last = Some(delivery.order);
                    left -= 1;
                    patience = Duration::ZERO;
                }
                Err(Error::Skipped { .. }) => {} // an event has said it
                Err(_) if last.is_none() => return Ok(()),
                Ok(None) | Err(_) => break,
            }
        }
        streams::write_all(stdout(), text.as_bytes())?;
        text.clear();
        if let Some(order) = last {
            // An error says that the session is over, which the next delivery tells, too.
            seat.client.acknowledge(order).ok();
            printed.set(order.plus(1));
        }
    }
    Ok(())
}

/// Whether a failure to write means that nobody reads any more.
fn is_unread(error: &std::io::Error) -> bool {
    let gone = rustix::io::Errno::IO.raw_os_error();
    error.kind() == ErrorKind::BrokenPipe || error.raw_os_error() == Some(gone)
}

impl Printed {
    fn set(&self, end: OrderNumber) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = end;
        self.changed.notify_all();
    }

    /// Waits until everything from `begin` to `end` is printed, as long as printing goes on.
    fn wait_for(&self, begin: OrderNumber, end: OrderNumber) {
        let mut printed = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        while begin.max(*printed) < end {
            let waited = self.changed.wait_timeout(printed, ECHO);
            let (now, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            if timeout.timed_out() {
                log::warn!("some of our own lines have not come back, and are not printed");
                return;
            }
            printed = now;
        }
    }
}
