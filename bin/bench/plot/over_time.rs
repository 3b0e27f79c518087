//! Deliveries a second, over the seconds of a run.

use super::axis::round_steps;
use super::canvas::{Area, Canvas, Shape, Text};
use crate::bench::human::{self, as_float, seconds};
use crate::bench::outcome::Outcome;
use crate::bench::subscribing::BUCKET;

/// The most stretches that are told apart.
const STRETCHES: usize = 120;

pub(super) fn draw(canvas: &mut Canvas, area: Area, outcome: &Outcome) {
    let heading = "Deliveries a second, all subscribers together";
    canvas.text(area.left, area.top - 16.0, Text::Heading, heading);
    let stretches = stretches(outcome);
    let most = stretches
        .iter()
        .map(|stretch| stretch.rate)
        .fold(0.0, f64::max);
    let end = outcome.seconds();
    if most <= 0.0 || end <= 0.0 {
        return;
    }
    let steps = round_steps(most);
    let top = steps.last().copied().unwrap_or(most);
    let x = |time: f64| area.left + area.width * time / end;
    let y = |rate: f64| area.bottom() - area.height * rate / top;
    for &step in &steps {
        canvas.line((area.left, y(step)), (area.right(), y(step)), Shape::Grid);
        let words = human::count(step);
        canvas.text(area.left - 8.0, y(step) + 4.0, Text::Left, &words);
    }
    for time in round_steps(end).into_iter().filter(|&time| time <= end) {
        let words = format!("{} s", (time * 1e3).round() / 1e3);
        canvas.text(x(time), area.bottom() + 20.0, Text::Below, &words);
    }
    let mut curve = Vec::with_capacity(2 * stretches.len());
    for stretch in &stretches {
        curve.push((x(stretch.begin), y(stretch.rate)));
        curve.push((x(stretch.end), y(stretch.rate)));
    }
    canvas.curve(&curve, area.bottom());
}

/// Part of a run.
struct Stretch {
    begin: f64,
    end: f64,
    rate: f64,
}

/// The run in equal parts, each a whole number of buckets; its ends are where it begins and
/// ends, not where buckets do.
fn stretches(outcome: &Outcome) -> Vec<Stretch> {
    let (first, last) = (outcome.first_publish, outcome.tally.last_delivery);
    let from = usize::try_from(first / BUCKET).unwrap_or(usize::MAX);
    let buckets = outcome.tally.buckets.get(from..).unwrap_or_default();
    let each = buckets.len().div_ceil(STRETCHES).max(1);
    let begin_of = |place: usize| (first / BUCKET + (place * each) as u64) * BUCKET;
    let parts = buckets.chunks(each).enumerate();
    parts
        .filter_map(|(place, counts)| {
            let begin = begin_of(place).max(first);
            let end = begin_of(place + 1).min(last);
            let length = seconds(end.checked_sub(begin).filter(|&length| length > 0)?);
            Some(Stretch {
                begin: seconds(begin - first),
                end: seconds(end - first),
                rate: as_float(counts.iter().sum()) / length,
            })
        })
        .collect()
}
