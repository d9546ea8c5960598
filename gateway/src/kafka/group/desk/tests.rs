//! Whatever order records end in: what is committed never passes one that is not done, and those of a key
//! are handed over one after the other.

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

const PARTITIONS: usize = 3;
const KEYS: u8 = 4;

fn plan(order: Order, in_flight: usize) -> Plan {
    Plan {
        group: "g".into(),
        topics: vec!["t".into()],
        from_earliest: true,
        order,
        in_flight,
        patience: Duration::ZERO,
    }
}

fn record(partition: i32, offset: i64, key: Option<u8>) -> Record {
    Record {
        partition,
        offset,
        timestamp: None,
        key: key.map(|key| Box::from([key])),
        headers: Box::default(),
        value: None,
    }
}

fn place(partition: i32) -> Place {
    ("t".into(), partition)
}

/// What may happen.
#[derive(Debug, Clone)]
enum Event {
    Admit {
        partition: i32,
        key: Option<u8>,
        gap: i64,
    },
    /// One of the records under way comes back.
    Settle {
        which: usize,
        outcome: Outcome,
    },
    Later {
        which: usize,
    },
    /// A partition goes, perhaps in order, and comes again.
    Move {
        partition: i32,
        in_order: bool,
    },
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let partition = 0..PARTITIONS as i32;
    let outcome = prop_oneof![
        4 => Just(Outcome::Done),
        1 => Just(Outcome::Again { after: Duration::ZERO, why: String::new() }),
        1 => Just(Outcome::Hold { after: Duration::ZERO, cause: "x", why: String::new() }),
    ];
    let event = prop_oneof![
        6 => (partition.clone(), prop::option::of(0..KEYS), 1..3_i64)
            .prop_map(|(partition, key, gap)| Event::Admit { partition, key, gap }),
        6 => (any::<usize>(), outcome).prop_map(|(which, outcome)| Event::Settle { which, outcome }),
        4 => any::<usize>().prop_map(|which| Event::Later { which }),
        1 => (partition, any::<bool>())
            .prop_map(|(partition, in_order)| Event::Move { partition, in_order }),
    ];
    prop::collection::vec(event, 1..200)
}

/// What a member of the group, and the group, know.
struct Model {
    desk: Desk,
    order: Order,
    most: usize,
    /// Each with how often its partition had moved.
    under_way: Vec<(Turn, u64)>,
    later: Vec<Later>,
    /// All records of each partition.
    written: Vec<Vec<(i64, Option<u8>)>>,
    /// How many of them this member was given.
    given: Vec<usize>,
    /// Since the partition came: those that are done.
    done: Vec<HashSet<i64>>,
    committed: Vec<i64>,
    /// How often each partition went and came again.
    moves: Vec<u64>,
}

impl Model {
    fn new(order: Order, most: usize) -> Self {
        let mut desk = Desk::new(&plan(order, most));
        (0..PARTITIONS as i32).for_each(|partition| desk.assign(place(partition), None));
        Self {
            desk,
            order,
            most,
            under_way: Vec::new(),
            later: Vec::new(),
            written: vec![Vec::new(); PARTITIONS],
            given: vec![0; PARTITIONS],
            done: vec![HashSet::new(); PARTITIONS],
            committed: vec![0; PARTITIONS],
            moves: vec![0; PARTITIONS],
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Admit {
                partition,
                key,
                gap,
            } => {
                let at = partition as usize;
                let offset = self.written[at].last().map_or(0, |(last, _)| last + gap);
                self.written[at].push((offset, key));
                self.give();
            }
            Event::Settle { which, outcome } if !self.under_way.is_empty() => {
                let turn = self.under_way.swap_remove(which % self.under_way.len());
                self.settle(turn, outcome);
            }
            Event::Later { which } if !self.later.is_empty() => {
                let later = self.later.swap_remove(which % self.later.len());
                self.come(later);
            }
            Event::Move {
                partition,
                in_order,
            } => {
                let at = partition as usize;
                self.desk.close(&place(partition));
                if in_order {
                    self.wind_up(partition);
                }
                self.commit();
                self.desk.remove(&place(partition));
                self.desk.assign(place(partition), None);
                // It begins where the last commit was.
                let committed = self.committed[at];
                self.given[at] = self.written[at]
                    .iter()
                    .filter(|(o, _)| *o < committed)
                    .count();
                self.done[at] = self.written[at][..self.given[at]]
                    .iter()
                    .map(|(o, _)| *o)
                    .collect();
                self.moves[at] += 1;
                self.give();
            }
            Event::Settle { .. } | Event::Later { .. } => {}
        }
        self.take();
        self.commit();
    }

    /// Nothing that is done comes again, unless something before it is held or to be tried again.
    fn wind_up(&mut self, partition: i32) {
        let (at, place) = (partition as usize, place(partition));
        let places = [place.clone()];
        let waits = |later: &Later| match later {
            Later::Wake(ticket, _) => ticket.place == place,
            Later::Release(of, _) => *of == place,
        };
        while self.desk.under_way(&places) > 0 || self.desk.has_turns(&places) {
            self.take();
            for turn in std::mem::take(&mut self.under_way) {
                self.settle(turn, Outcome::Done);
            }
        }
        self.commit();
        let repeated = self.done[at].iter().find(|it| **it >= self.committed[at]);
        assert!(
            repeated.is_none() || self.later.iter().any(waits),
            "{repeated:?} comes again"
        );
    }

    fn come(&mut self, later: Later) {
        match later {
            Later::Wake(ticket, _) => self.desk.wake(ticket),
            Later::Release(place, _) => {
                self.desk
                    .release(&place, Instant::now() + Duration::from_secs(1));
            }
        }
    }

    fn give(&mut self) {
        for at in 0..PARTITIONS {
            for (offset, key) in &self.written[at][self.given[at]..] {
                let record = record(at as i32, *offset, *key);
                self.desk.admit(&place(at as i32), &"c".into(), record);
            }
            self.given[at] = self.written[at].len();
        }
    }

    fn settle(&mut self, (turn, handed): (Turn, u64), outcome: Outcome) {
        let record = &turn.task.record;
        let at = record.partition as usize;
        let is_cut = turn.alive.has_changed().is_err();
        assert_eq!(is_cut, handed != self.moves[at]);
        if outcome == Outcome::Done && !is_cut {
            self.done[at].insert(record.offset);
        }
        let outcome = (!is_cut).then_some(outcome);
        let later = self.desk.settle(turn.ticket, outcome, Instant::now());
        self.later.extend(later);
    }

    /// Whoever has a turn takes it.
    fn take(&mut self) {
        while let Some(turn) = self.desk.next() {
            let record = &turn.task.record;
            let at = record.partition as usize;
            let same = |key: Option<u8>| match self.order {
                Order::Partition => true,
                Order::Key => key.is_some() && key == record.key.as_ref().map(|key| key[0]),
            };
            // All before it in its lane are done.
            for (offset, key) in &self.written[at] {
                if *offset < record.offset && same(*key) {
                    assert!(
                        self.done[at].contains(offset),
                        "{offset} before {}",
                        record.offset
                    );
                }
            }
            self.under_way.push((turn, self.moves[at]));
        }
        assert!(self.desk.in_flight() <= self.most);
    }

    fn commit(&mut self) {
        for ((_, partition), offset) in self.desk.due(&self.desk.places()) {
            let at = partition as usize;
            for (written, _) in &self.written[at] {
                assert!(
                    *written >= offset || self.done[at].contains(written),
                    "{written} is not done, and {offset} is committed"
                );
            }
            assert!(offset >= self.committed[at], "commits never go back");
            self.committed[at] = offset;
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_committed_that_is_not_done_and_keys_keep_their_order(
        events in events(),
        by_key in any::<bool>(),
        most in 1..5_usize,
    ) {
        let order = if by_key { Order::Key } else { Order::Partition };
        let mut model = Model::new(order, most);
        for event in events {
            model.happen(event);
        }
        // In the end all is done and committed.
        while !model.under_way.is_empty() || !model.later.is_empty() {
            for later in std::mem::take(&mut model.later) {
                model.come(later);
            }
            for turn in std::mem::take(&mut model.under_way) {
                model.settle(turn, Outcome::Done);
            }
            model.take();
        }
        model.commit();
        for (written, committed) in model.written.iter().zip(&model.committed) {
            prop_assert_eq!(*committed, written.last().map_or(0, |(last, _)| last + 1));
        }
    }
}

#[test]
fn a_partition_has_room_again_once_half_is_done() {
    let mut desk = Desk::new(&plan(Order::Key, 2));
    desk.assign(place(0), None);
    let mut turns = Vec::new();
    for offset in 0..8 {
        assert_ne!(desk.room(&place(0)), Room::None, "{offset}");
        desk.admit(&place(0), &"c".into(), record(0, offset, None));
        turns.extend(desk.next());
    }
    assert_eq!(desk.room(&place(0)), Room::None);
    for done in 1..=5 {
        let turn = turns.remove(0);
        desk.settle(turn.ticket, Some(Outcome::Done), Instant::now());
        turns.extend(desk.next());
        let expected = if done > 4 { Room::Enough } else { Room::Some };
        assert_eq!(desk.room(&place(0)), expected, "{done}");
    }
}

#[test]
fn nothing_is_handed_over_while_paused_and_nothing_after_the_end() {
    let mut desk = Desk::new(&plan(Order::Key, 2));
    desk.assign(place(0), None);
    desk.pause(true);
    desk.admit(&place(0), &"c".into(), record(0, 0, None));
    assert!(desk.next().is_none());
    desk.pause(false);
    assert!(desk.next().is_some());
    desk.stop();
    desk.admit(&place(0), &"c".into(), record(0, 1, None));
    assert!(desk.next().is_none());
}

#[test]
fn what_lies_before_a_record_that_is_done_has_its_turn_while_its_partition_goes() {
    let mut desk = Desk::new(&plan(Order::Key, 2));
    desk.assign(place(0), None);
    for (offset, key) in [(0, 1), (1, 2), (2, 1), (3, 2), (4, 1), (5, 2)] {
        desk.admit(&place(0), &"c".into(), record(0, offset, Some(key)));
    }
    let mut turn = || desk.next().expect("somebody's turn");
    let (slow, quick) = (turn(), turn());
    desk.settle(quick.ticket, Some(Outcome::Done), Instant::now());
    let quick = desk.next().expect("the next of its key");
    assert_eq!(quick.task.record.offset, 3);
    let places = [place(0)];
    desk.close(&place(0));
    desk.settle(quick.ticket, Some(Outcome::Done), Instant::now());
    assert!(desk.next().is_none(), "5 has no turn any more");
    desk.settle(slow.ticket, Some(Outcome::Done), Instant::now());
    assert!(desk.has_turns(&places));
    let gap = desk.next().expect("what lies before 3");
    assert_eq!(gap.task.record.offset, 2);
    desk.settle(gap.ticket, Some(Outcome::Done), Instant::now());
    assert!(desk.next().is_none() && !desk.has_turns(&places));
    assert_eq!(desk.due(&places), [(place(0), 4)]);
}

#[test]
fn what_is_not_done_is_behind_whether_or_not_anything_was_committed() {
    let mut desk = Desk::new(&plan(Order::Key, 2));
    desk.assign(place(0), None);
    let lag = |desk: &Desk| desk.standings(Instant::now())[0].lag;
    assert_eq!(lag(&desk), None);
    desk.reaches(&place(0), 5, Some(3));
    assert_eq!(lag(&desk), Some(2));
    desk.admit(&place(0), &"c".into(), record(0, 3, None));
    assert_eq!(lag(&desk), Some(2));
    let turn = desk.next().expect("it has its turn");
    desk.settle(turn.ticket, Some(Outcome::Done), Instant::now());
    assert_eq!(lag(&desk), Some(1));
}

#[test]
fn a_hold_is_no_try_and_the_longest_one_counts() {
    let mut desk = Desk::new(&plan(Order::Key, 2));
    desk.assign(place(0), None);
    desk.admit(&place(0), &"c".into(), record(0, 0, None));
    desk.admit(&place(0), &"c".into(), record(0, 1, None));
    let now = Instant::now();
    let hold = |seconds| Outcome::Hold {
        after: Duration::from_secs(seconds),
        cause: "quota",
        why: String::new(),
    };
    let turns = [desk.next().expect("one"), desk.next().expect("another")];
    for (turn, seconds) in turns.into_iter().zip([60, 1]) {
        desk.settle(turn.ticket, Some(hold(seconds)), now);
    }
    desk.release(&place(0), now + Duration::from_secs(1));
    assert!(desk.next().is_none());
    desk.release(&place(0), now + Duration::from_secs(60));
    assert_eq!(desk.next().expect("held no more").task.tries, 0);
}
