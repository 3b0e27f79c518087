//! Throughputs side by side.

use std::path::Path;

use super::canvas::{Area, Canvas, Shape, Text};
use super::{MARGIN, WIDTH, save};
use crate::bench::error::Error;

const EACH: f64 = 34.0;
const HEAD: f64 = 96.0;
const NAMES: f64 = 250.0;
/// After the longest bar, for its number.
const NUMBER: f64 = 90.0;

/// One of them.
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) words: String,
    /// Whether the others are measured by it.
    pub(crate) is_reference: bool,
}

/// Draws them, the first at the top.
pub(crate) fn draw_bars(
    title: &str,
    subtitle: &str,
    bars: &[Bar],
    file: &Path,
) -> Result<(), Error> {
    let rows = bars.iter().map(|_| EACH).sum::<f64>();
    let mut canvas = Canvas::new(WIDTH, HEAD + rows + MARGIN, title);
    canvas.text(MARGIN, 48.0, Text::Title, title);
    canvas.text(MARGIN, 72.0, Text::Subtitle, subtitle);
    let most = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    let mut top = HEAD;
    for bar in bars {
        let left = MARGIN + NAMES;
        let width = (WIDTH - MARGIN - NUMBER - left) * bar.value / most.max(f64::MIN_POSITIVE);
        let area = Area {
            left,
            top: top + 5.0,
            width,
            height: EACH - 10.0,
        };
        let shape = if bar.is_reference {
            Shape::Reference
        } else {
            Shape::Bar
        };
        canvas.text(MARGIN, top + 21.0, Text::Heading, &bar.name);
        canvas.bar(area, shape);
        canvas.text(area.right() + 8.0, top + 21.0, Text::Note, &bar.words);
        top += EACH;
    }
    save(canvas, file)
}
