//! Figures as people read them.

/// A count with three digits and a letter.
pub(super) fn count(value: f64) -> String {
    scaled(value, &["", " k", " M", " G"], 1000.0)
}

/// Bytes with three digits and a unit.
pub(super) fn bytes(value: u64) -> String {
    scaled(as_float(value), &[" B", " KiB", " MiB", " GiB"], 1024.0)
}

/// Microseconds with three digits and the unit that fits.
pub(super) fn micros(value: f64) -> String {
    scaled(value, &[" µs", " ms", " s"], 1000.0)
}

/// `1 publisher`, `2 publishers`.
pub(super) fn plural(count: usize, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{ending}")
}

/// Nanoseconds as seconds.
pub(super) fn seconds(nanoseconds: u64) -> f64 {
    as_float(nanoseconds) / 1e9
}

/// A count, to be calculated with.
#[expect(
    clippy::cast_precision_loss,
    reason = "16 digits are enough for a figure"
)]
pub(super) fn as_float(count: u64) -> f64 {
    count as f64
}

fn scaled(mut value: f64, units: &[&str], step: f64) -> String {
    let mut unit = 0;
    // What rounds to a thousand is one of the next unit.
    while value >= step - 0.5 && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    let digits = match value {
        _ if unit == 0 && value.fract() == 0.0 => 0,
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$}{}", units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits() {
        assert_eq!(count(0.0), "0");
        assert_eq!(count(120.0), "120");
        assert_eq!(count(200_000.0), "200 k");
        assert_eq!(count(4_321_000.0), "4.32 M");
        assert_eq!(count(999_999.0), "1.00 M");
        assert_eq!(bytes(120), "120 B");
        assert_eq!(bytes(1 << 20), "1.00 MiB");
        assert_eq!(micros(87.3), "87.3 µs");
        assert_eq!(micros(1234.0), "1.23 ms");
        assert_eq!(plural(1, "order"), "1 order");
        assert_eq!(plural(8, "order"), "8 orders");
    }
}
