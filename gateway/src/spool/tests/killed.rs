//! Files as a kill leaves them, after each thing that is done to them.

use super::super::format::{HEADS, Head};
use super::super::log::{Draft, Log};
use super::super::position::{Place, Position};
use super::super::{Id, directory};
use super::*;

/// Adds a segment with these values; up to where each entry goes.
fn segment(home: &Path, values: &[String]) -> Vec<Place> {
    let mut log = Log::new(home, ROOMY);
    let write = |value: &String| {
        log.ready().unwrap();
        let draft = Draft {
            time: 7,
            record: record("orders", value.clone()),
            refused: None,
        };
        log.add(draft, u64::MAX).unwrap();
        log.write().unwrap()
    };
    values.iter().map(write).collect()
}

fn names(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// All of it is sent, and then nothing is left but what each spool has.
async fn is_sent(home: &Directory, values: &[String]) {
    let cluster = Cluster::default();
    let spool = open(home.path(), &cluster);
    cluster.has(values).await;
    until(|| directory::segments(home.path()).unwrap().is_empty()).await;
    spool.rest().await;
    assert_eq!(cluster.values(), values);
    assert_eq!(names(home.path()), ["drain.lock", "position"]);
}

#[tokio::test]
async fn after_each_step_of_making_a_segment() {
    let head = Head::random().unwrap().write();
    let whole = usize::try_from(HEADS).unwrap();
    for written in [0, 1, whole / 2, whole] {
        for linked in [false, true] {
            if linked && written < whole {
                // It gets its name with its head.
                continue;
            }
            let home = Directory::new();
            let values = numbered(0..2);
            segment(home.path(), &values);
            let draft = home.path().join("00000000000000aa.new");
            std::fs::write(&draft, &head[..written]).unwrap();
            if linked {
                std::fs::hard_link(&draft, directory::segment(home.path(), 2)).unwrap();
            }
            if written < whole {
                // One who makes it right now has not locked it yet: time tells.
                let old = std::time::SystemTime::now() - Duration::from_secs(120);
                let file = std::fs::File::options().write(true).open(&draft).unwrap();
                file.set_modified(old).unwrap();
            }
            is_sent(&home, &values).await;
        }
    }
}

#[tokio::test]
async fn after_each_byte_of_a_write() {
    let values = numbered(0..3);
    let whole = Directory::new();
    let ends = segment(whole.path(), &values);
    let bytes = std::fs::read(directory::segment(whole.path(), 1)).unwrap();
    let kept = usize::try_from(ends[1].offset).unwrap();
    for length in (kept..bytes.len()).step_by(7).chain([bytes.len() - 1]) {
        let home = Directory::new();
        std::fs::write(directory::segment(home.path(), 1), &bytes[..length]).unwrap();
        let next = vec!["next".to_owned()];
        segment(home.path(), &next);
        is_sent(&home, &[&values[..2], &next].concat()).await;
    }
}

#[tokio::test]
async fn after_each_step_of_being_done_with_a_segment() {
    let values = numbered(0..6);
    for taken_away in 0..=2 {
        let home = Directory::new();
        for piece in values.chunks(2) {
            segment(home.path(), piece);
        }
        let (mut position, _) = Position::open(home.path()).unwrap();
        // All of the first two was sent: it is written down, and then they go.
        let sent = Place {
            segment: 3,
            offset: 0,
        };
        position.write(sent).unwrap();
        for number in 1..=taken_away {
            std::fs::remove_file(directory::segment(home.path(), number)).unwrap();
        }
        is_sent(&home, &values[4..]).await;
    }
}

#[tokio::test]
async fn a_segment_that_goes_at_the_start_no_longer_takes_up_room() {
    let home = Directory::new();
    let value = "x".repeat(900_000);
    segment(home.path(), std::slice::from_ref(&value));
    let (mut position, _) = Position::open(home.path()).unwrap();
    let sent = Place {
        segment: 2,
        offset: 0,
    };
    position.write(sent).unwrap();
    let cluster = Cluster::down();
    let spool = open_sized(home.path(), &cluster, 1 << 20);
    until(|| directory::segments(home.path()).unwrap().is_empty()).await;
    let again = async {
        while append(&spool, &value).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), again)
        .await
        .unwrap();
}

/// What was refused is put aside before it is written down that it is done with.
#[tokio::test]
async fn between_putting_aside_and_writing_that_down() {
    let home = Directory::new();
    segment(home.path(), &numbered(0..2));
    let cluster = Cluster::default();
    cluster.0.lock().refused.insert("orders".to_owned());
    let before = std::fs::read(directory::segment(home.path(), 1)).unwrap();
    let spool = open(home.path(), &cluster);
    until(|| directory::segments(home.path()).unwrap().is_empty()).await;
    spool.rest().await;
    drop(spool);
    std::fs::remove_file(home.path().join("position")).unwrap();
    std::fs::write(directory::segment(home.path(), 1), before).unwrap();
    let spool = open(home.path(), &cluster);
    until(|| directory::segments(home.path()).unwrap().is_empty()).await;
    spool.rest().await;
    let (waiting, rejected) = left(home.path());
    assert_eq!(waiting, [""; 0]);
    // Twice, by the same id: nothing of it is gone.
    assert_eq!(rejected, [numbered(0..2), numbered(0..2)].concat());
    let mut ids = Vec::<Id>::new();
    survey(home.path(), |_, entry| {
        ids.push(entry.id);
        Ok::<_, std::io::Error>(())
    })
    .unwrap();
    assert_eq!((ids[0], ids[1]), (ids[2], ids[3]));
}
