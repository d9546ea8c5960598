//! Files that are taken away underneath: by who made them, by who has sent them, or by somebody's hand.

use super::super::directory;
use super::super::position::{self, Place, Position};
use super::super::segment::Segment;
use super::*;

/// A disk that fails at the first write to a segment has its writer take that back, and its number is
/// free again.
#[tokio::test]
async fn the_number_of_a_segment_that_was_taken_back_may_be_used_again() {
    let home = Directory::new();
    let cluster = Cluster::slow();
    let spool = open_first(home.path(), &cluster).await;
    append(&spool, "value 0").await.unwrap();
    // It is on its way from now on, and so nothing is written down of it.
    until(|| cluster.0.lock().held.len() == 1).await;
    let other = Segment::create(home.path(), 2).unwrap();
    // The first has ended, and the way goes on in the second.
    until(|| super::super::segment::is_done(&directory::segment(home.path(), 1)).unwrap()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    other.cut(home.path()).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    append(&spool, "value 1").await.unwrap();
    cluster.set(false);
    cluster.has(&numbered(0..2)).await;
    spool.rest().await;
    assert_eq!(left(home.path()).0, Vec::<String>::new());
}

/// Between looking for a number and using it, others may have used it, and what they wrote be sent.
#[test]
fn no_segment_gets_a_number_that_is_passed() {
    let home = Directory::new();
    let (mut position, _) = Position::open(home.path()).unwrap();
    let sent = Place {
        segment: 7,
        offset: 0,
    };
    position.write(sent).unwrap();
    let late = Segment::create(home.path(), 3).unwrap();
    assert!(late.end().segment > 7, "{late:?}");
    // Nor one before a segment that may have been begun with already.
    let last = Segment::create(home.path(), 12).unwrap();
    let late = Segment::create(home.path(), 10).unwrap();
    assert!(late.end().segment > last.end().segment, "{late:?}");
    let names = directory::segments(home.path()).unwrap();
    assert_eq!(names.len(), 3, "{names:?}");
    assert_eq!(position::read(home.path()).unwrap(), sent);
}

#[tokio::test]
async fn nothing_is_promised_of_a_file_that_was_deleted() {
    let home = Directory::new();
    let cluster = Cluster::down();
    let spool = open_first(home.path(), &cluster).await;
    append(&spool, "deleted").await.unwrap();
    let path = directory::segments(home.path()).unwrap()[0].0;
    std::fs::remove_file(directory::segment(home.path(), path)).unwrap();
    match append(&spool, "refused").await {
        Err(Refusal::Failed(why)) => assert!(why.contains(".log"), "{why}"),
        other => panic!("{other:?}"),
    }
    append(&spool, "kept").await.unwrap();
    assert_eq!(left(home.path()).0, ["kept"]);
    // Nor of one in the place of which there is another.
    let path = directory::segments(home.path()).unwrap()[0].0;
    let path = directory::segment(home.path(), path);
    let bytes = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, bytes).unwrap();
    assert!(append(&spool, "refused").await.is_err());
    append(&spool, "next").await.unwrap();
    assert_eq!(left(home.path()).0, ["kept", "next"]);
    spool.rest().await;
}

#[tokio::test]
async fn what_is_read_of_a_file_that_is_deleted_is_sent_and_what_follows_it() {
    let home = Directory::new();
    let cluster = Cluster::slow();
    let spool = open_first(home.path(), &cluster).await;
    // More than is on its way at once.
    let values = numbered(0..2_500);
    let records = values.iter().map(|value| record("orders", value.clone()));
    append(&spool, "first").await.unwrap();
    until(|| cluster.0.lock().held.len() == 1).await;
    spool.append_all(records.collect()).await.unwrap();
    until(|| cluster.0.lock().held.len() == QUEUE).await;
    let number = directory::segments(home.path()).unwrap()[0].0;
    std::fs::remove_file(directory::segment(home.path(), number)).unwrap();
    assert!(append(&spool, "refused").await.is_err());
    append(&spool, "last").await.unwrap();
    cluster.set(false);
    let all = [vec!["first".to_owned()], values, vec!["last".to_owned()]].concat();
    cluster.has(&all).await;
    spool.rest().await;
    assert_eq!(left(home.path()).0, Vec::<String>::new());
}

/// Whatever waits all the while is shown, in its order; what is sent meanwhile may be, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_looked_at_while_it_is_written_and_sent() {
    let home = Directory::new();
    let cluster = Cluster::default();
    let spool = Arc::new(open_sized(home.path(), &cluster, 1 << 20));
    let count = 3_000;
    let promised = Arc::new(AtomicU32::new(0));
    let (writing, counting) = (Arc::clone(&spool), Arc::clone(&promised));
    let writer = tokio::spawn(async move {
        for n in 0..count {
            let value = format!("{n:01000}");
            while append(&writing, &value).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            counting.fetch_add(1, Ordering::SeqCst);
        }
    });
    let mut looks = 0;
    while !writer.is_finished() {
        let there = promised.load(Ordering::SeqCst);
        let looked = home.path().to_owned();
        let looking = tokio::task::spawn_blocking(move || left(&looked));
        let (values, rejected) = looking.await.unwrap();
        let taken = u32::try_from(cluster.0.lock().taken.len()).unwrap();
        let numbers: Vec<u32> = values.iter().map(|value| value.parse().unwrap()).collect();
        assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
        let missing = (taken..there).find(|number| !numbers.contains(number));
        assert_eq!(missing, None, "of {there}, {taken} sent: {numbers:?}");
        assert_eq!(rejected, [""; 0]);
        looks += usize::from(!numbers.is_empty());
    }
    writer.await.unwrap();
    assert!(looks > 0);
    until(|| cluster.0.lock().taken.len() == count).await;
    spool.rest().await;
    assert_eq!(left(home.path()).0, Vec::<String>::new());
}

#[test]
fn a_spool_is_found_by_its_own_directory_too() {
    let data = Directory::new();
    let directory = data.path().join("spool").join("events");
    std::fs::create_dir_all(directory.join("rejected")).unwrap();
    Segment::create(&directory, 1).unwrap();
    Segment::create(&directory.join("rejected"), 1).unwrap();
    let expected = vec![("events".to_owned(), directory.clone())];
    for place in [data.path().to_owned(), data.path().join("spool"), directory] {
        let found = super::super::survey::spools(&place).unwrap();
        assert_eq!(found, expected, "{}", place.display());
    }
    // Nor does the name of one mislead.
    let named = data.path().join("spool").join("spool");
    std::fs::create_dir(&named).unwrap();
    Segment::create(&named, 1).unwrap();
    let both = super::super::survey::spools(&data.path().join("spool")).unwrap();
    let names: Vec<&str> = both.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["events", "spool"]);
}
