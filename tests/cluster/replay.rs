//! NATS forgets: a server whose files were cut and one that lags elect each other, and go on under
//! positions that were used before. (nats-server issue 7567; the order must not be given twice.)

use std::fs::{self, File};
use std::path::Path;

use orden_kit::clock::pause;
use orden_kit::cluster::Stage;
use std::time::Duration;

/// What lies in these files is cut to half; indices, by which the loss would show, go.
fn cut(directory: &Path) -> usize {
    let mut cuts = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            cuts += cut(&path);
        } else if path.extension().is_some_and(|ending| ending == "blk") {
            let length = path.metadata().unwrap().len();
            File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_len(length / 2)
                .unwrap();
            cuts += 1;
        } else if path.ends_with("index.db") {
            fs::remove_file(&path).unwrap();
        }
    }
    cuts
}

/// No member is given a second history, and every broker stops and says so. Then the order goes on
/// from the longest journal, with the numbers that members have seen.
#[test]
fn servers_that_forget_are_not_believed() {
    let mut stage = Stage::set();
    let leader = stage.servers.leader("orden");
    let (cut_one, lagging) = ((leader + 1) % 3, (leader + 2) % 3);
    stage.fault("a NATS server lags", |stage| stage.servers.kill(lagging));
    stage.crew.speak_for(3_000_000);
    let mut stage = stage.finish_in_halt("two NATS servers have forgotten", |stage| {
        stage.servers.kill(cut_one);
        let store = stage.servers.store(cut_one).join("jetstream");
        let mut cuts = cut(&store.join("$G/streams/orden_orden"));
        for group in fs::read_dir(store.join("$SYS/_js_")).unwrap() {
            let group = group.unwrap().path();
            if !group.ends_with("_meta_") {
                cuts += cut(&group);
            }
        }
        assert!(cuts > 0, "{} holds the stream", store.display());
        stage.servers.kill(leader);
        pause(Duration::from_millis(200));
        stage.servers.restart(cut_one);
        stage.servers.restart(lagging);
    });
    stage.servers.restart(leader);
    (0..3).for_each(|at| stage.servers.await_health(at));
    stage.reseed();
    stage.finish();
}
