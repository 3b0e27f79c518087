//! For people: what one types is not torn apart by what arrives.

use std::cell::RefCell;
use std::io::{ErrorKind, IsTerminal, stdin, stdout};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use orden::client::Error;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::completion::Completer;
use rustyline::error::{ReadlineError, Signal};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{Config, Context, Editor, ExternalPrinter, Helper};
use simplelog::{ConfigBuilder, LevelFilter, WriteLogger};

use super::flags::{Cli, is_plain_terminal, use_colour};
use super::logging::{self, Sink};
use super::seat::{self, LEAVE, Outcome, Seat};
use super::show::Show;
use super::signals::{Course, Signals};
use super::threads::spawn;

/// How long a person who leaves waits for confirmations.
const PATIENCE: Duration = Duration::from_secs(5);
/// Lines that wait for a slow terminal.
const LINES: usize = 1024;
type Completed = rustyline::Result<(usize, Vec<String>)>;
type LineEditor = Editor<Typed, MemHistory>;

/// Whether a person sits here, and lines can be edited. On any other terminal what is typed and
/// what arrives are plain lines.
pub(crate) fn is_possible() -> bool {
    stdin().is_terminal() && stdout().is_terminal() && !is_plain_terminal()
}

/// Runs until the person leaves or the session ends.
pub(crate) fn run(cli: &Cli, signals: &Signals) -> Result<Outcome, String> {
    let failed = |error: ReadlineError| format!("cannot use the terminal: {error}");
    let terminal = Terminal::take()?;
    let mut editor: LineEditor =
        Editor::with_history(Config::default(), MemHistory::new()).map_err(failed)?;
    editor.set_helper(Some(Typed::default()));
    let printer = editor.create_external_printer().map_err(failed)?;
    // Printing waits for the editor, and nobody but deliveries may wait for printing.
    let (lines, lines_out) = bounded(LINES);
    spawn("printer", move || print_lines(printer, &lines_out))?;
    start_logging(cli.logging.log_level, lines.clone())?;

    let name = seat::name(cli)?;
    let shown = name.to_string();
    let address = cli.network.shown();
    say(
        &lines,
        &format!("{shown} talks to {address}: ^D goes, {LEAVE} ends the session\n"),
    );
    let seat = Arc::new(Seat::take(cli, name)?);
    signals.leave_by(course(&seat, &terminal));
    let show = Show {
        format: cli.output.format,
        colour: use_colour(&stdout()),
    };
    let (printing, count) = (Arc::clone(&seat), cli.output.count);
    let at_the_end = terminal.clone();
    spawn("deliveries", move || {
        print(&printing, &lines, show, count);
        if !printing.is_leaving() {
            // Nobody else can end what waits for a key.
            at_the_end.exit(&printing.leave(PATIENCE));
        }
    })?;
    let end = type_lines(&mut editor, &format!("{shown}> "), &seat);
    seat.ask_to_leave();
    let outcome = seat.leave(PATIENCE);
    terminal.give_back();
    Ok(match end {
        Ok(()) => outcome,
        Err(cause) => outcome.but(cause),
    })
}

/// What signals do while the editor waits for a key. What ^C does is up to the editor.
fn course(seat: &Arc<Seat>, terminal: &Terminal) -> Course {
    let (seat, at_once) = (Arc::clone(seat), terminal.clone());
    let terminal = terminal.clone();
    Course {
        leave: Box::new(move || {
            seat.ask_to_leave();
            let (seat, terminal) = (Arc::clone(&seat), terminal.clone());
            let leaving = spawn("leaving", move || terminal.exit(&seat.leave(PATIENCE)));
            if let Err(error) = leaving {
                log::error!("{error}");
            }
        }),
        abandon: Box::new(move || at_once.give_back()),
    }
}

/// Publishes what is typed until the person leaves.
fn type_lines(editor: &mut LineEditor, prompt: &str, seat: &Seat) -> Result<(), String> {
    let mut begun = String::new();
    let mut number = 0;
    loop {
        let typed = match editor.readline_with_initial(prompt, (&begun, "")) {
            Ok(typed) => typed,
            Err(ReadlineError::Signal(Signal::Resize)) => String::new(),
            Err(ReadlineError::Io(error)) if error.kind() == ErrorKind::InvalidData => {
                log::warn!("a byte that was typed is no UTF-8: the terminal has to send UTF-8");
                begun = editor.helper().map(Typed::so_far).unwrap_or_default();
                begun.push(char::REPLACEMENT_CHARACTER);
                continue;
            }
            Err(error) if is_end(&error) => return Ok(()),
            Err(error) => return Err(format!("cannot read from the terminal: {error}")),
        };
        begun.clear();
        if typed == LEAVE {
            seat.end_session();
            return Ok(());
        }
        // What was pasted may be several lines, and a pipe would make each of them a message.
        for line in typed.split(['\r', '\n']).filter(|line| !line.is_empty()) {
            number += 1;
            match seat.client.publish(line.as_bytes()) {
                Ok(_) => {}
                Err(Error::TooLarge { most }) => log::error!("a message can have {most} bytes"),
                Err(_) => {
                    seat.note_refused(number);
                    return Ok(());
                }
            }
        }
        if !typed.is_empty() {
            // That it cannot be recalled is no reason not to have said it.
            editor.add_history_entry(typed).ok();
        }
    }
}

/// Whether the person has gone, and perhaps the terminal with them.
fn is_end(error: &ReadlineError) -> bool {
    match error {
        ReadlineError::Eof
        | ReadlineError::Interrupted
        | ReadlineError::Signal(Signal::Interrupt) => true,
        ReadlineError::Io(error) => error.raw_os_error() == Some(Errno::IO.raw_os_error()),
        ReadlineError::Errno(error) => *error as i32 == Errno::IO.raw_os_error(),
        _ => false,
    }
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
            Ok(None) | Err(Error::Skipped { .. }) => {} // which an event has said
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

fn start_logging(level: LevelFilter, lines: Sender<String>) -> Result<(), String> {
    let config = ConfigBuilder::new()
        .set_time_level(LevelFilter::Off)
        .set_thread_level(LevelFilter::Off)
        .set_target_level(LevelFilter::Off)
        .build();
    // With so much to print, one line more or less is not seen.
    let sink = Sink::new(move |line| drop(lines.try_send(line)));
    WriteLogger::init(level, config, sink).map_err(|error| format!("cannot log: {error}"))
}

/// The line that is being typed, as the editor tells it to whoever would have hints for it: the
/// editor keeps it to itself when it fails.
#[derive(Default)]
struct Typed(RefCell<String>);

impl Typed {
    fn so_far(&self) -> String {
        self.0.borrow().clone()
    }
}

impl Hinter for Typed {
    type Hint = String;

    fn hint(&self, line: &str, _: usize, _: &Context<'_>) -> Option<String> {
        line.clone_into(&mut self.0.borrow_mut());
        None
    }
}

impl Completer for Typed {
    type Candidate = String;

    /// There is nothing to complete here, so a tab is a tab.
    fn complete(&self, _: &str, at: usize, _: &Context<'_>) -> Completed {
        Ok((at, vec!["\t".to_owned()]))
    }
}

impl Highlighter for Typed {}
impl Validator for Typed {}
impl Helper for Typed {}

/// The terminal as it was before the editor took it.
#[derive(Clone)]
struct Terminal {
    settings: Termios,
    flags: OFlags,
}

impl Terminal {
    /// Remembers how it is, and makes it block: the program that has started us may need it
    /// otherwise, and the editor would take its not being ready for an error.
    fn take() -> Result<Self, String> {
        let failed = |error: Errno| format!("cannot use the terminal: {error}");
        let flags = fcntl_getfl(stdin()).map_err(failed)?;
        fcntl_setfl(stdin(), flags - OFlags::NONBLOCK).map_err(failed)?;
        Ok(Self {
            settings: tcgetattr(stdin()).map_err(failed)?,
            flags,
        })
    }

    fn give_back(&self) {
        // A terminal that is gone needs nothing.
        tcsetattr(stdin(), OptionalActions::Now, &self.settings).ok();
        fcntl_setfl(stdin(), self.flags).ok();
    }

    /// Gives the terminal back and ends the process, while another thread waits for a key.
    fn exit(&self, outcome: &Outcome) -> ! {
        self.give_back();
        logging::say("");
        logging::exit(outcome.report())
    }
}
