//! From values to places on the paper, and the round numbers on the way.

/// Round numbers for an axis from 0 to at least `most`, some four to six of them.
pub(super) fn round_steps(most: f64) -> Vec<f64> {
    if most <= 0.0 {
        return vec![0.0, 1.0];
    }
    let power = 10_f64.powf((most / 5.0).log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|factor| factor * power)
        .into_iter()
        .find(|step| most / step <= 5.0)
        .unwrap_or(10.0 * power);
    let mut steps = vec![0.0];
    while steps.last().is_some_and(|&last| last < most) {
        // Not by adding: that would drift.
        let count = u32::try_from(steps.len()).unwrap_or(u32::MAX);
        steps.push(step * f64::from(count));
    }
    steps
}

/// Powers of ten, and two and five times them, that enclose both values and lie between them.
pub(super) fn log_steps(least: f64, most: f64) -> Vec<f64> {
    let mut steps = Vec::new();
    let mut power = 10_f64.powf(least.log10().floor());
    while power < 10.0 * most {
        steps.extend([power, 2.0 * power, 5.0 * power]);
        power *= 10.0;
    }
    let first = steps.iter().rposition(|&step| step <= least).unwrap_or(0);
    let end = steps.iter().position(|&step| step >= most);
    steps[first..=end.unwrap_or(steps.len() - 1)].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_reach_far_enough() {
        assert_eq!(round_steps(4.2), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(round_steps(0.35), [0.0, 0.1, 0.2, 0.1 * 3.0, 0.4]);
        assert_eq!(round_steps(0.0), [0.0, 1.0]);
        assert_eq!(log_steps(87.0, 410.0), [50.0, 100.0, 200.0, 500.0]);
        assert_eq!(log_steps(100.0, 100.0), [100.0]);
    }
}
