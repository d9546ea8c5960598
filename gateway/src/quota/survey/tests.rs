//! What operators see and change of quotas that are counted in memory.

use std::sync::Arc;

use crate::quota::tests::quota;
use crate::quota::{
    By, Change, Claim, Ledger, Period, Provenance, Quota, Spender, Store, Subject, Unchanged, Used,
    Window,
};

const HOUR: Window = Window::Fixed {
    every: Period::Hour,
};

/// A quota of 100 in a store of its own.
fn hourly(by: &[By], overrides: &[(&str, u64)]) -> Arc<Quota> {
    let mut quota = Quota::clone(&quota("q", 100, HOUR, by));
    quota.store = Store::memory("survey");
    quota.limit.overrides = overrides
        .iter()
        .map(|(name, limit)| ((*name).into(), *limit))
        .collect();
    Arc::new(quota)
}

fn of<'a>(team: &'a str, consumer: &'a str) -> Subject<'a> {
    Subject {
        team: Some(team),
        consumer: Some(consumer),
        ..Subject::default()
    }
}

async fn reserve(
    ledger: &Ledger,
    quota: &Arc<Quota>,
    subject: Subject<'_>,
    bound: u64,
) -> super::super::Reservation {
    let claim = Claim {
        quota,
        subject,
        bound,
    };
    let holder = "request-1".into();
    let reserved = ledger.reserve(&[claim], Some(&holder)).await;
    reserved.expect("there is room")
}

async fn spend(ledger: &Ledger, quota: &Arc<Quota>, subject: Subject<'_>, amount: u64) {
    let reservation = reserve(ledger, quota, subject, amount).await;
    let used = |_: &Quota, _| Used {
        amount,
        provenance: Provenance::Counted,
    };
    drop(reservation.settle(used));
}

#[tokio::test]
async fn the_fullest_keys_come_first_by_their_own_limits() {
    let (ledger, quota) = (Ledger::new(), hourly(&[By::Team], &[("small", 10)]));
    spend(&ledger, &quota, of("big", "a"), 50).await;
    spend(&ledger, &quota, of("small", "b"), 9).await;
    spend(&ledger, &quota, of("idle", "c"), 0).await;
    let other = hourly(&[By::Team], &[]);
    spend(&ledger, &other, of("big", "a"), 1).await;
    let survey = ledger.survey(&quota, 10).await.expect("memory");
    let keys: Vec<_> = survey
        .fullest
        .iter()
        .map(|found| (found.key.to_string(), found.standing.limit))
        .collect();
    assert_eq!(keys, [("small".to_owned(), 10), ("big".to_owned(), 100)]);
    assert_eq!(
        (survey.keys, survey.whole, survey.total.settled),
        (2, true, 59)
    );
    let one = ledger.survey(&quota, 1).await.expect("memory");
    assert_eq!((one.fullest.len(), one.keys), (1, 2));
}

#[tokio::test]
async fn a_key_tells_who_spends_it_and_what_holds_it() {
    let (ledger, quota) = (Ledger::new(), hourly(&[By::Team], &[]));
    spend(&ledger, &quota, of("shop", "a"), 10).await;
    spend(&ledger, &quota, of("shop", "b"), 30).await;
    let held = reserve(&ledger, &quota, of("shop", "a"), 5).await;
    let detail = ledger
        .detail(&quota, &of("shop", "x"))
        .await
        .expect("memory");
    let standing = &detail.standing;
    assert_eq!(
        (standing.settled, standing.reserved, standing.room),
        (40, 5, 55)
    );
    let (_, spenders) = detail.spenders.expect("somebody spent");
    let spenders: Vec<_> = spenders.into_iter().map(|s| (s.by, s.amount)).collect();
    let consumer = |name: &str| Spender::Consumer(name.into());
    assert_eq!(spenders, [(consumer("b"), 30), (consumer("a"), 10)]);
    assert_eq!((detail.open, detail.held, detail.reserved.len()), (1, 5, 1));
    assert_eq!(detail.reserved[0].amount, 5);
    assert_eq!(detail.reserved[0].request.as_deref(), Some("request-1"));
    drop(held);
    let detail = ledger
        .detail(&quota, &of("shop", "x"))
        .await
        .expect("memory");
    assert_eq!((detail.open, detail.standing.settled), (0, 45));
}

#[tokio::test]
async fn a_key_never_used_has_all_of_its_limit() {
    let (ledger, quota) = (Ledger::new(), hourly(&[By::Team], &[("shop", 7)]));
    let detail = ledger
        .detail(&quota, &of("shop", "x"))
        .await
        .expect("memory");
    assert_eq!((detail.standing.limit, detail.standing.room), (7, 7));
    assert!(detail.spenders.is_none() && detail.reserved.is_empty());
    assert_eq!(ledger.keys(), 0, "looking makes no account");
}

#[tokio::test]
async fn a_grant_makes_room_and_a_reset_begins_anew() {
    let (ledger, quota) = (Ledger::new(), hourly(&[By::Team], &[]));
    let shop = of("shop", "a");
    spend(&ledger, &quota, shop, 100).await;
    let claim = Claim {
        quota: &quota,
        subject: shop,
        bound: 1,
    };
    assert!(ledger.reserve(&[claim], None).await.is_err());
    let changed = ledger.change(&quota, &shop, Change::Grant(20)).await;
    let changed = changed.expect("memory");
    assert_eq!((changed.before.room, changed.after.room), (0, 20));
    assert_eq!(changed.after.credit, 20);
    spend(&ledger, &quota, shop, 20).await;
    assert!(ledger.reserve(&[claim], None).await.is_err());
    let held = ledger.change(&quota, &shop, Change::Reset).await;
    assert_eq!(held.expect("memory").after.room, 100);
    spend(&ledger, &quota, shop, 100).await;
    assert!(ledger.reserve(&[claim], None).await.is_err());
}

#[tokio::test]
async fn what_is_reserved_survives_a_reset_and_is_settled_after_it() {
    let (ledger, quota) = (Ledger::new(), hourly(&[By::Team], &[]));
    let shop = of("shop", "a");
    spend(&ledger, &quota, shop, 40).await;
    let open = reserve(&ledger, &quota, shop, 30).await;
    let changed = ledger.change(&quota, &shop, Change::Reset).await;
    assert_eq!(changed.expect("memory").after.room, 70);
    drop(open.settle(|_, _| Used {
        amount: 10,
        provenance: Provenance::Counted,
    }));
    let detail = ledger.detail(&quota, &shop).await.expect("memory");
    assert_eq!(detail.standing.room, 90);
}

#[tokio::test]
async fn what_is_held_is_not_changed_and_memory_is_not_rebuilt() {
    let ledger = Ledger::new();
    let mut held = Quota::clone(&hourly(&[], &[]));
    held.window = Window::Held;
    let held = Arc::new(held);
    let changed = ledger
        .change(&held, &Subject::default(), Change::Grant(1))
        .await;
    assert_eq!(changed, Err(Unchanged::Held));
    assert_eq!(ledger.rebuild(&held.store), None);
}
