//! The paper: shapes and words as SVG.

use std::fmt::Write;

/// A picture that is being drawn.
pub(super) struct Canvas(String);

/// Where something is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Area {
    pub(super) fn right(self) -> f64 {
        self.left + self.width
    }

    pub(super) fn bottom(self) -> f64 {
        self.top + self.height
    }
}

/// What words are there for; the style sheet says how they look.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text {
    Title,
    Subtitle,
    /// A number that matters, and what it is; both end where they are put.
    Figure,
    Meaning,
    /// Above a panel.
    Heading,
    /// At an axis: ends there, or is centred on it.
    Left,
    Below,
    /// At a point of a curve, or after a bar.
    Note,
}

impl Text {
    fn class(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Subtitle => "soft",
            Self::Figure => "figure end",
            Self::Meaning | Self::Left => "soft small end",
            Self::Heading => "heading",
            Self::Below => "soft small middle",
            Self::Note => "note",
        }
    }
}

/// What a shape is there for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    /// A curve.
    Line,
    /// What lies under a curve.
    Filling,
    /// A point worth a look.
    Dot,
    /// Lines to read values by.
    Grid,
    /// A bar.
    Bar,
    /// A bar of what others are measured by.
    Reference,
}

impl Shape {
    fn class(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Filling => "filling",
            Self::Dot => "dot",
            Self::Grid => "grid",
            Self::Bar => "bar",
            Self::Reference => "reference",
        }
    }
}

const STYLE: &str = "
  .paper { fill: #ffffff; stroke: #d9dee5 }
  text { font-family: 'Inter', system-ui, -apple-system, 'Segoe UI', 'Helvetica Neue', \
Arial, sans-serif; font-size: 13px; fill: #1b2430 }
  .title { font-size: 22px; font-weight: 650 }
  .figure { font-size: 22px; font-weight: 650 }
  .heading { font-size: 13px; font-weight: 650 }
  .soft { fill: #64707f }
  .small { font-size: 11.5px }
  .note { font-size: 11.5px; font-weight: 600 }
  .end { text-anchor: end }
  .middle { text-anchor: middle }
  .line { fill: none; stroke: #2563c9; stroke-width: 2.25; stroke-linejoin: round }
  .filling { fill: #2563c9; fill-opacity: 0.12 }
  .dot { fill: #ffffff; stroke: #2563c9; stroke-width: 2.25 }
  .grid { stroke: #e6eaf0; stroke-width: 1 }
  .bar { fill: #2563c9 }
  .reference { fill: #9aa7b8 }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #10151c; stroke: #2a333f }
    text { fill: #e8edf4 }
    .soft { fill: #94a1b2 }
    .line { stroke: #6ea8ff }
    .filling { fill: #6ea8ff; fill-opacity: 0.16 }
    .dot { fill: #10151c; stroke: #6ea8ff }
    .grid { stroke: #232c38 }
    .bar { fill: #6ea8ff }
    .reference { fill: #4c5a6c }
  }
";

impl Canvas {
    pub(super) fn new(width: f64, height: f64, title: &str) -> Self {
        let mut canvas = Self(String::new());
        canvas.add(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" role=\"img\">\n<title>{}</title>\n\
             <style>{STYLE}</style>\n<rect class=\"paper\" x=\"0.5\" y=\"0.5\" width=\"{}\" \
             height=\"{}\" rx=\"10\"/>\n",
            escape(title),
            width - 1.0,
            height - 1.0,
        ));
        canvas
    }

    pub(super) fn text(&mut self, x: f64, y: f64, text: Text, words: &str) {
        let (class, words) = (text.class(), escape(words));
        self.add(format_args!(
            "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{words}</text>\n"
        ));
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), shape: Shape) {
        self.add(format_args!(
            "<line class=\"{}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>\n",
            shape.class(),
            from.0,
            from.1,
            to.0,
            to.1
        ));
    }

    /// A line through points.
    pub(super) fn path(&mut self, points: &[(f64, f64)], shape: Shape) {
        self.add(format_args!("<path class=\"{}\" d=\"", shape.class()));
        for (place, (x, y)) in points.iter().enumerate() {
            let stroke = if place == 0 { "M" } else { "L" };
            self.add(format_args!("{stroke}{x:.1} {y:.1}"));
        }
        self.add(format_args!("\"/>\n"));
    }

    /// A curve, with what lies under it down to `bottom`.
    pub(super) fn curve(&mut self, points: &[(f64, f64)], bottom: f64) {
        let (Some(first), Some(last)) = (points.first(), points.last()) else {
            return;
        };
        let mut outline = points.to_vec();
        outline.extend([(last.0, bottom), (first.0, bottom)]);
        self.path(&outline, Shape::Filling);
        self.path(points, Shape::Line);
    }

    pub(super) fn dot(&mut self, (x, y): (f64, f64)) {
        let class = Shape::Dot.class();
        self.add(format_args!(
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>\n"
        ));
    }

    pub(super) fn bar(&mut self, area: Area, shape: Shape) {
        self.add(format_args!(
            "<rect class=\"{}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" \
             rx=\"3\"/>\n",
            shape.class(),
            area.left,
            area.top,
            area.width,
            area.height
        ));
    }

    pub(super) fn finish(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }

    fn add(&mut self, written: std::fmt::Arguments<'_>) {
        self.0.write_fmt(written).expect("text takes every text");
    }
}

fn escape(words: &str) -> String {
    words
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
