//! Latency by share of the deliveries: each further tenth of the rest gets as much room as the
//! one before, so that the rare slow ones are seen.

use super::axis::log_steps;
use super::canvas::{Area, Canvas, Shape, Text};
use crate::bench::human::{self, as_float};
use crate::bench::outcome::Outcome;

const TICKS: [(f64, &str); 5] = [
    (50.0, "50 %"),
    (90.0, "90 %"),
    (99.0, "99 %"),
    (99.9, "99.9 %"),
    (99.99, "99.99 %"),
];
const NOTED: [f64; 3] = [50.0, 99.0, 99.9];
/// Points of the curve.
const POINTS: u32 = 160;

pub(super) fn draw(canvas: &mut Canvas, area: Area, outcome: &Outcome) {
    let latency = &outcome.tally.latency;
    let heading = "Latency, by share of the deliveries";
    canvas.text(area.left, area.top - 16.0, Text::Heading, heading);
    // Beyond the last delivery there is nothing to show.
    let deepest = as_float(latency.len().max(10)).log10().min(5.0);
    let share_at = |depth: f64| 100.0 * (1.0 - 10_f64.powf(-depth));
    let micros = |share: f64| as_float(latency.value_at_percentile(share).max(1)) / 1e3;
    let steps = log_steps(micros(0.0).max(1.0), micros(share_at(deepest)).max(1.0));
    let [low, .., high] = steps[..] else {
        return;
    };
    let x = |depth: f64| area.left + area.width * depth / deepest;
    let y = |micros: f64| {
        let place = (micros.max(low) / low).log10() / (high / low).log10();
        area.bottom() - area.height * place
    };
    // Every number where there is room for it, otherwise the powers of ten.
    let is_shown = |step: f64| steps.len() <= 8 || step.log10().fract().abs() < 1e-9;
    for &step in steps.iter().filter(|&&step| is_shown(step)) {
        canvas.line((area.left, y(step)), (area.right(), y(step)), Shape::Grid);
        let words = scale(step);
        canvas.text(area.left - 8.0, y(step) + 4.0, Text::Left, &words);
    }
    for (share, words) in TICKS {
        let depth = depth_of(share);
        if depth <= deepest {
            canvas.text(x(depth), area.bottom() + 20.0, Text::Below, words);
        }
    }
    let depths = (0..=POINTS).map(|point| deepest * f64::from(point) / f64::from(POINTS));
    let curve: Vec<_> = depths
        .map(|depth| (x(depth), y(micros(share_at(depth)))))
        .collect();
    canvas.curve(&curve, area.bottom());
    for share in NOTED
        .into_iter()
        .filter(|&share| depth_of(share) <= deepest)
    {
        let point = (x(depth_of(share)), y(micros(share)));
        canvas.dot(point);
        let words = human::micros(micros(share));
        canvas.text(point.0 + 2.0, point.1 + 22.0, Text::Note, &words);
    }
}

fn depth_of(share: f64) -> f64 {
    -(1.0 - share / 100.0).log10()
}

fn scale(micros: f64) -> String {
    match micros {
        ..1e3 => format!("{micros} µs"),
        ..1e6 => format!("{} ms", micros / 1e3),
        _ => format!("{} s", micros / 1e6),
    }
}
