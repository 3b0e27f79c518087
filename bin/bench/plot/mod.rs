//! A run as a picture: how late deliveries were, and how many there were over time.
//!
//! Written by hand, as two curves need no library. Colours and faces are in one style sheet,
//! which has a second set for readers whose screen is dark.

mod axis;
mod bars;
mod canvas;
mod over_time;
mod percentiles;

use std::path::Path;

use super::error::Error;
use super::human;
use super::outcome::Outcome;
use canvas::{Area, Canvas, Text};

pub(super) use bars::{Bar, draw_bars};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 440.0;
const MARGIN: f64 = 32.0;
/// Above the panels: what was measured, and the figures that matter most.
const HEAD: f64 = 104.0;
/// Room for the numbers beside an axis, and below it.
const LEFT: f64 = 58.0;
const BELOW: f64 = 58.0;
const BETWEEN: f64 = 44.0;

/// Draws a run.
pub(super) fn draw(outcome: &Outcome, file: &Path) -> Result<(), Error> {
    let title = outcome.title();
    let mut canvas = Canvas::new(WIDTH, HEIGHT, &title);
    canvas.text(MARGIN, 48.0, Text::Title, &title);
    canvas.text(MARGIN, 72.0, Text::Subtitle, &outcome.load());
    figures(&mut canvas, outcome);

    let width = (WIDTH - 2.0 * MARGIN - BETWEEN) / 2.0;
    let panel = |left: f64| Area {
        left: left + LEFT,
        top: HEAD + 36.0,
        width: width - LEFT,
        height: HEIGHT - HEAD - 36.0 - BELOW,
    };
    percentiles::draw(&mut canvas, panel(MARGIN), outcome);
    over_time::draw(&mut canvas, panel(MARGIN + width + BETWEEN), outcome);
    save(canvas, file)
}

fn save(canvas: Canvas, file: &Path) -> Result<(), Error> {
    std::fs::write(file, canvas.finish()).map_err(Error::system("write", file))
}

/// The figures that matter most, in the corner at the top.
fn figures(canvas: &mut Canvas, outcome: &Outcome) {
    let figures = [
        (human::micros(outcome.latency(99.0)), "99 of 100 within"),
        (human::micros(outcome.latency(50.0)), "half of them within"),
        (
            human::count(outcome.deliveries_per_second()),
            "deliveries a second",
        ),
    ];
    for (place, (figure, meaning)) in (0_u8..).zip(&figures) {
        let right = WIDTH - MARGIN - 132.0 * f64::from(place);
        canvas.text(right, 50.0, Text::Figure, figure);
        canvas.text(right, 71.0, Text::Meaning, meaning);
    }
}
