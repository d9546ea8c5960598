//! Any order of what can happen: records, a cluster that comes and goes, failures, and ends without
//! warning. What was promised arrives, in order.

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    /// So many records, one after the other.
    Append(usize),
    Down(bool),
    /// The next record has to be sent again.
    Fail,
    /// The process is killed: what is on disk at some moment is all that is left.
    Kill,
    /// It ends in order and starts again.
    Restart,
    /// Another one takes its place.
    Replace,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..40usize).prop_map(Step::Append),
        2 => any::<bool>().prop_map(Step::Down),
        1 => Just(Step::Fail),
        2 => Just(Step::Kill),
        1 => Just(Step::Restart),
        1 => Just(Step::Replace),
    ]
}

/// What a machine would find that lost its power now. The position first: what is gone from the directory
/// by the time the rest is copied was acknowledged, and is not asked for by an older position either.
fn copy(from: &Path, to: &Path) {
    let names = ["position", "."];
    for name in names {
        let Ok(found) = std::fs::read_dir(from) else {
            return;
        };
        for entry in found {
            let path = entry.unwrap().path();
            let file = path.file_name().unwrap();
            let first = file == "position";
            if path.is_file() && first == (name == "position") {
                // It may have been sent and be gone meanwhile.
                let _ = std::fs::copy(&path, to.join(file));
            }
        }
    }
}

async fn play(steps: Vec<Step>) {
    let mut home = Directory::new();
    let cluster = Cluster::down();
    let mut spool = open(home.path(), &cluster);
    let mut promised = Vec::new();
    for step in steps {
        match step {
            Step::Append(count) => {
                let from = promised.len();
                let values = numbered(from..from + count);
                append_all(&spool, &values).await;
                promised.extend(values);
            }
            Step::Down(down) => cluster.set(down),
            Step::Fail => cluster.0.lock().fail = 1,
            Step::Kill => {
                let next = Directory::new();
                copy(home.path(), next.path());
                // The old one must not go on: what it sends would be ahead of what the new one knows.
                cluster.set(true);
                spool.rest().await;
                spool = open(next.path(), &cluster);
                home = next;
            }
            Step::Restart => {
                spool.rest().await;
                drop(spool);
                spool = open(home.path(), &cluster);
            }
            Step::Replace => {
                let next = open(home.path(), &cluster);
                spool.retire();
                spool = next;
            }
        }
    }
    cluster.set(false);
    cluster.0.lock().fail = 0;
    until(|| cluster.values().len() >= promised.len()).await;
    assert_eq!(cluster.values(), promised);
    // What an earlier one handed over may have come from it.
    until(|| left(home.path()).0.is_empty()).await;
    spool.rest().await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 20, ..ProptestConfig::default() })]
    #[test]
    fn what_was_promised_arrives_in_order(steps in prop::collection::vec(step(), 1..14)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(steps));
    }
}
