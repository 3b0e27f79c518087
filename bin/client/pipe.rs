//! For scripts: lines of standard input out, messages in, and an end.

use std::io::{BufRead, ErrorKind, Read, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use orden::client::Error;
use orden::wire::OrderNumber;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use simplelog::{ColorChoice, ConfigBuilder, TermLogger, TerminalMode};

use super::flags::{Cli, Logging, OnExit, use_colour};
use super::seat::{self, Outcome, Seat};
use super::show::Show;

/// How long whoever leaves waits for confirmations that nobody has waited for before.
const HURRY: Duration = Duration::from_secs(2);
/// How long somebody who reads us may keep us from leaving.
const STUCK: Duration = Duration::from_secs(6);
/// How long the last of our own messages may take to come back once it is confirmed.
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
pub(crate) fn run(cli: &Cli) -> Result<Outcome, String> {
    start_logging(&cli.logging)?;
    let name = seat::name(cli)?;
    let mut on_exit = OnExit::Stay;
    if cli.session.name.is_none() {
        eprintln!("orden-client: this is {name}");
        on_exit = OnExit::Leave;
    }
    let seat = Arc::new(Seat::take(cli, name, on_exit)?);
    let printed = Arc::new(Printed::default());
    watch_signals(Arc::clone(&seat))?;
    let stays = cli.input.follow || cli.output.count.is_some();
    let patience = cli.input.patience().unwrap_or(Duration::MAX);
    let receives = !cli.output.publish_only;
    let shared = (Arc::clone(&seat), Arc::clone(&printed));
    spawn("stdin", move || {
        let (seat, printed) = shared;
        read(&seat);
        let flushed = seat.client.flush(patience);
        if flushed.is_ok() && receives && !stays {
            printed.wait_for(seat.begin(), seat.own_end());
        }
        if flushed.is_err() || !stays {
            seat.ask_to_leave();
        }
    })?;
    let show = Show {
        format: cli.output.format,
        colour: use_colour(&std::io::stdout()),
    };
    match print(&seat, &printed, show, cli.output.count) {
        Ok(()) => Ok(seat.leave(HURRY)),
        // Whoever read us has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(seat.leave(HURRY)),
        Err(error) => Err(format!("cannot write to standard output: {error}")),
    }
}

/// Publishes the lines of standard input until its end, or the session's.
fn read(seat: &Seat) {
    let mut input = std::io::stdin().lock();
    for number in 1_u64.. {
        let mut line = Vec::new();
        // A line that is too long must not fill the memory before it is refused.
        let most = (seat.client.largest_message() as u64).saturating_add(2);
        match input.by_ref().take(most).read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) => {
                log::error!("cannot read standard input: {error}");
                return seat.note_refused(number);
            }
        }
        if line.last() == Some(&b'\n') {
            line.pop();
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
    let mut output = std::io::stdout().lock();
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
                Err(_) if last.is_none() => return Ok(()),
                Ok(None) | Err(_) => break,
            }
        }
        output.write_all(text.as_bytes())?;
        output.flush()?;
        text.clear();
        if let Some(order) = last {
            // An error says that the session is over, which the next delivery tells, too.
            seat.client.acknowledge(order).ok();
            printed.set(order.plus(1));
        }
    }
    Ok(())
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
                return;
            }
            printed = now;
        }
    }
}

/// The first signal leaves in good order, the second at once.
fn watch_signals(seat: Arc<Seat>) -> Result<(), String> {
    let signals = Signals::new([SIGINT, SIGTERM, SIGHUP]);
    let mut signals = signals.map_err(|error| format!("cannot watch signals: {error}"))?;
    spawn("signals", move || {
        let mut signals = signals.forever();
        signals.next();
        seat.ask_to_leave();
        let hang = spawn("watchdog", || {
            // If nobody reads what is printed, printing never ends.
            crossbeam_channel::never::<()>().recv_timeout(STUCK).ok();
            std::process::exit(3);
        });
        if let Err(error) = hang {
            log::error!("{error}");
        }
        signals.next();
        std::process::exit(3);
    })
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), String> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    thread
        .map(|_runs_by_itself| ())
        .map_err(|error| format!("cannot start a thread: {error}"))
}

fn start_logging(logging: &Logging) -> Result<(), String> {
    let config = ConfigBuilder::new().set_time_format_rfc3339().build();
    let colour = if use_colour(&std::io::stderr()) {
        ColorChoice::Auto
    } else {
        ColorChoice::Never
    };
    TermLogger::init(logging.log_level, config, TerminalMode::Stderr, colour)
        .map_err(|error| format!("cannot log: {error}"))
}
