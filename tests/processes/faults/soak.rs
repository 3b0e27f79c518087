//! Faults for as long as `ORDEN_SOAK_MINUTES` says, or else for some seconds, with fifty members,
//! and what the broker uses meanwhile: its memory, descriptors and threads have to be flat.

use std::time::Duration;

use crate::faults::nemesis::{Restarts, torment};
use crate::faults::stage::{Cast, Stage};
use orden_kit::clock::{now_us, since_ms};
use orden_kit::programs::broker::Usage;

/// What is compared has to have had the time to fill: the newest messages are kept in memory.
const COMPARED_FROM: Duration = Duration::from_mins(20);
/// Beyond the most of the third quarter, what may come on top in the last.
const SPARE_BYTES: u64 = 16 << 20;
/// Connections that are forgotten stay until they are noticed.
const SPARE_DESCRIPTORS: u64 = 120;

#[test]
fn soak() {
    let minutes = std::env::var("ORDEN_SOAK_MINUTES").unwrap_or_else(|_| "0.2".to_owned());
    let minutes: f64 = minutes.parse().expect("a number of minutes");
    let mut stage = Stage::set(Cast {
        natives: 50,
        proxies: 4,
        every: Duration::from_millis(500),
        bytes: 3_000,
        ..Cast::default()
    });
    let begun = now_us();
    let duration = Duration::from_secs_f64(minutes * 60.0);
    let mut samples = Vec::new();
    for restarts in [Restarts::Allowed, Restarts::None] {
        let period = Duration::from_secs(10);
        torment(&mut stage, duration / 2, period, restarts, |stage| {
            let (usage, after_ms) = (stage.broker().usage(), since_ms(begun));
            println!("{:>6} s: {usage:?}", after_ms / 1000);
            samples.push((Duration::from_millis(after_ms), usage));
        });
    }
    stage.finish();
    judge(&samples, duration);
}

/// Compares the third quarter of the time with the last: one process lives through both.
fn judge(samples: &[(Duration, Usage)], duration: Duration) {
    let most = |from: f64, to: f64, of: &dyn Fn(&Usage) -> u64| {
        let within = |at: Duration| at >= duration.mul_f64(from) && at < duration.mul_f64(to);
        let used = samples.iter().filter(|(at, _)| within(*at));
        used.map(|(_, usage)| of(usage)).max()
    };
    let compare = |what: &str, spare: u64, of: &dyn Fn(&Usage) -> u64| {
        let (early, late) = (most(0.5, 0.75, of), most(0.75, 1.1, of));
        println!("{what}: at most {early:?} in the third quarter, {late:?} in the last");
        if let (Some(early), Some(late)) = (early, late)
            && duration >= COMPARED_FROM
        {
            assert!(late <= early + spare, "{what} grows");
        }
    };
    compare("bytes", SPARE_BYTES, &|usage| usage.resident_bytes);
    compare("descriptors", SPARE_DESCRIPTORS, &|usage| usage.descriptors);
    compare("threads", 0, &|usage| usage.threads);
}
