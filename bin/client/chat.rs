//! For people: what one types is not torn apart by what arrives.

use std::io::Write;
use std::sync::Arc;
use std::thread::Builder;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use orden::client::Error;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Config, Editor, ExternalPrinter};
use signal_hook::consts::{SIGHUP, SIGTERM};
use signal_hook::iterator::Signals;
use simplelog::{ConfigBuilder, LevelFilter, WriteLogger};

use super::flags::{Cli, OnExit, use_colour};
use super::seat::{self, Outcome, Seat};
use super::show::{Plain, Show};

/// How long a person who leaves waits for confirmations.
const PATIENCE: Duration = Duration::from_secs(5);
/// Lines that wait for a slow terminal.
const LINES: usize = 1024;

/// Runs until the person leaves or the session ends.
pub(crate) fn run(cli: &Cli) -> Result<Outcome, String> {
    let failed = |error: ReadlineError| format!("cannot use the terminal: {error}");
    let mut editor: Editor<(), MemHistory> =
        Editor::with_history(Config::default(), MemHistory::new()).map_err(failed)?;
    let printer = editor.create_external_printer().map_err(failed)?;
    let terminal = Terminal::remember()?;
    // Printing waits for the editor, and nobody but deliveries may wait for printing.
    let (lines, lines_out) = bounded(LINES);
    spawn("printer", move || print_lines(printer, &lines_out))?;
    start_logging(cli.logging.log_level, lines.clone())?;

    let name = seat::name(cli)?;
    let prompt = format!("{}> ", Plain(name.as_bytes()));
    say(
        &lines,
        &format!(
            "{} talks to {}: ^D leaves\n",
            Plain(name.as_bytes()),
            cli.network.address
        ),
    );
    let seat = Arc::new(Seat::take(cli, name, OnExit::Leave)?);
    watch_signals(Arc::clone(&seat), terminal.clone())?;
    let show = Show {
        format: cli.output.format,
        colour: use_colour(&std::io::stdout()),
    };
    let (printing, count) = (Arc::clone(&seat), cli.output.count);
    spawn("deliveries", move || {
        print(&printing, &lines, show, count);
        if !printing.is_leaving() {
            // Nobody else can end what waits for a key.
            terminal.exit(&printing.leave(PATIENCE));
        }
    })?;
    let end = type_lines(&mut editor, &prompt, &seat);
    seat.ask_to_leave();
    end.map(|()| seat.leave(PATIENCE))
}

/// Publishes what is typed until the person leaves.
fn type_lines(
    editor: &mut Editor<(), MemHistory>,
    prompt: &str,
    seat: &Seat,
) -> Result<(), String> {
    for number in 1.. {
        let line = match editor.readline(prompt) {
            Ok(line) => line,
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(()),
            Err(error) => return Err(format!("cannot read from the terminal: {error}")),
        };
        if line.is_empty() {
            continue;
        }
        match seat.client.publish(line.as_bytes()) {
            Ok(_) => {}
            Err(Error::TooLarge { most }) => log::error!("a message can have {most} bytes"),
            Err(_) => {
                seat.note_refused(number);
                return Ok(());
            }
        }
        // That it cannot be recalled is no reason not to have said it.
        editor.add_history_entry(line).ok();
    }
    Ok(())
}

/// Prints messages until there are enough, somebody leaves, or the session is over.
fn print(seat: &Seat, lines: &Sender<String>, show: Show, count: Option<u64>) {
    let mut left = count.unwrap_or(u64::MAX);
    while left > 0 && !seat.is_leaving() {
        match seat.client.next_delivery(Duration::MAX) {
            Ok(Some(delivery)) => {
                let mut line = String::new();
                show.write(&delivery, &mut line);
                say(lines, &line);
                // An error says that the session is over, which the next delivery tells, too.
                seat.client.acknowledge(delivery.order).ok();
                left -= 1;
            }
            Ok(None) => {}
            Err(_) => return,
        }
    }
}

fn say(lines: &Sender<String>, line: &str) {
    // The printer ends with the process only.
    lines.send(line.to_owned()).ok();
}

fn print_lines(mut printer: impl ExternalPrinter, lines: &Receiver<String>) {
    for mut line in lines {
        // Whatever else is there is printed in one go.
        line.extend(lines.try_iter());
        if printer.print(line).is_err() {
            return; // the terminal is gone, and a signal says so
        }
    }
}

/// The terminal as it was before the editor took it.
#[derive(Clone)]
struct Terminal(Termios);

impl Terminal {
    fn remember() -> Result<Self, String> {
        let settings = tcgetattr(std::io::stdin());
        settings
            .map(Self)
            .map_err(|error| format!("cannot use the terminal: {error}"))
    }

    /// Gives the terminal back and ends the process, while another thread waits for a key.
    fn exit(&self, outcome: &Outcome) -> ! {
        // A terminal that is gone needs nothing.
        tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0).ok();
        println!();
        std::process::exit(outcome.report().into())
    }
}

/// What ^C does is up to the editor; these come from elsewhere.
fn watch_signals(seat: Arc<Seat>, terminal: Terminal) -> Result<(), String> {
    let signals = Signals::new([SIGTERM, SIGHUP]);
    let mut signals = signals.map_err(|error| format!("cannot watch signals: {error}"))?;
    spawn("signals", move || {
        signals.forever().next();
        seat.ask_to_leave();
        terminal.exit(&seat.leave(PATIENCE));
    })
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), String> {
    let thread = Builder::new().name(name.to_owned()).spawn(run);
    thread
        .map(|_runs_by_itself| ())
        .map_err(|error| format!("cannot start a thread: {error}"))
}

fn start_logging(level: LevelFilter, lines: Sender<String>) -> Result<(), String> {
    let config = ConfigBuilder::new()
        .set_time_level(LevelFilter::Off)
        .set_thread_level(LevelFilter::Off)
        .set_target_level(LevelFilter::Off)
        .build();
    let sink = Sink {
        lines,
        text: Vec::new(),
    };
    WriteLogger::init(level, config, sink).map_err(|error| format!("cannot log: {error}"))
}

/// Log lines on their way to the printer, which must not stop whoever logs.
struct Sink {
    lines: Sender<String>,
    text: Vec<u8>,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.text.extend_from_slice(bytes);
        if let Some(end) = self.text.iter().rposition(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.text.drain(..=end).collect();
            // With so much to print, one line more or less is not seen.
            let line = String::from_utf8_lossy(&line).into_owned();
            self.lines.try_send(line).ok();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
