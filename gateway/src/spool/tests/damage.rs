//! Files that were cut or changed.

use std::path::Path;

use super::super::log::{Draft, Log};
use super::super::survey::{Found, survey};
use super::super::{Entry, directory, format};
use super::*;

/// A segment with these values; its bytes, and where each entry ends.
fn segment(values: &[String]) -> (Vec<u8>, Vec<usize>) {
    let home = Directory::new();
    let mut log = Log::new(home.path(), ROOMY);
    let mut ends = Vec::new();
    for value in values {
        log.ready().unwrap();
        let draft = Draft {
            time: 7,
            record: record("orders", value.clone()),
            refused: None,
        };
        log.add(draft, u64::MAX).unwrap();
        ends.push(usize::try_from(log.write().unwrap().offset).unwrap());
    }
    let bytes = std::fs::read(directory::segment(home.path(), 1)).unwrap();
    assert_eq!(Some(&bytes.len()), ends.last());
    (bytes, ends)
}

fn look(directory: &Path) -> (Vec<String>, Found) {
    let mut values = Vec::new();
    let each = |_, entry: &Entry| {
        let value = entry.record.value.as_deref().unwrap_or_default();
        values.push(String::from_utf8_lossy(value).into_owned());
        Ok::<_, std::io::Error>(())
    };
    let found = survey(directory, each).unwrap();
    (values, found)
}

#[test]
fn cut_at_any_byte_it_still_has_all_that_was_whole() {
    let values = numbered(0..5);
    let (bytes, ends) = segment(&values);
    let home = Directory::new();
    for length in 0..=bytes.len() {
        std::fs::write(directory::segment(home.path(), 1), &bytes[..length]).unwrap();
        let whole = ends.iter().filter(|end| **end <= length).count();
        assert_eq!(look(home.path()).0, values[..whole], "{length} bytes");
    }
}

#[test]
fn with_any_byte_changed_only_the_entry_it_was_in_is_gone() {
    let values = numbered(0..5);
    let (bytes, ends) = segment(&values);
    let heads = usize::try_from(format::HEADS).unwrap();
    let home = Directory::new();
    for at in 0..bytes.len() {
        for change in [0x01, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] ^= change;
            std::fs::write(directory::segment(home.path(), 1), &changed).unwrap();
            let mut expected = values.clone();
            if at >= heads {
                expected.remove(ends.iter().filter(|end| **end <= at).count());
            }
            let (values, found) = look(home.path());
            assert_eq!(values, expected, "byte {at} changed by {change:#x}");
            let last = at >= ends[ends.len() - 2];
            assert_eq!(found.damaged > 0, at >= heads && !last, "byte {at}");
        }
    }
}

#[tokio::test]
async fn what_follows_damage_is_sent_and_what_has_no_head_is_put_aside() {
    let values = numbered(0..4);
    let (mut bytes, ends) = segment(&values);
    bytes[ends[1] + 20] ^= 1;
    let home = Directory::new();
    let path = |number| directory::segment(home.path(), number);
    std::fs::write(path(3), &bytes).unwrap();
    std::fs::write(path(4), vec![0; 500]).unwrap();
    let (more, _) = segment(&numbered(4..6));
    std::fs::write(path(5), &more[..more.len() - 1]).unwrap();
    let cluster = Cluster::default();
    let metrics = Metrics::new();
    let settings = settings(home.path(), ROOMY);
    let spool = Spool::open(settings, cluster.clone(), &metrics).unwrap();
    append(&spool, "new").await.unwrap();
    let sent = ["value 0", "value 1", "value 3", "value 4", "new"].map(str::to_owned);
    cluster.has(&sent).await;
    spool.rest().await;
    assert_eq!(
        std::fs::read(path(4).with_extension("damaged")).unwrap(),
        vec![0; 500]
    );
    for number in 3..=5 {
        assert!(!path(number).exists(), "{number}");
    }
    let damaged = 500 + ends[2] - ends[1];
    let line =
        format!("weir_spool_damaged_bytes_total{{weir_kafka_cluster=\"events\"}} {damaged}\n");
    assert!(metrics.encode().contains(&line), "{}", metrics.encode());
}

/// Whoever can write a value cannot make it one of several entries, even where the entry is damaged that
/// it is in.
#[test]
fn no_value_is_taken_for_an_entry() {
    let (forged, _) = segment(&["forged".to_owned()]);
    let heads = usize::try_from(format::HEADS).unwrap();
    let home = Directory::new();
    let mut log = Log::new(home.path(), ROOMY);
    for value in [forged[heads..].to_vec(), b"honest".to_vec()] {
        log.ready().unwrap();
        let draft = Draft {
            time: 7,
            record: record("orders", value),
            refused: None,
        };
        log.add(draft, u64::MAX).unwrap();
        log.write().unwrap();
    }
    let path = directory::segment(home.path(), 1);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[heads + 4] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(look(home.path()).0, ["honest"]);
}
