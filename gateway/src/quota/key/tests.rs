//! What makes two keys one, and what does not.

use super::*;
use crate::quota::{Limit, Period};

fn quota(name: &str, by: &[By]) -> Quota {
    Quota {
        name: name.into(),
        unit: Unit::Requests,
        limit: Limit {
            default: 1,
            overrides: Default::default(),
        },
        window: Window::Fixed { every: Period::Day },
        by: by.to_vec(),
    }
}

fn same(a: (&Quota, &Subject<'_>), b: (&Quota, &Subject<'_>)) -> bool {
    let hashing = RandomState::new();
    let (a, b) = (
        Sought::new(a.0, a.1, &hashing),
        Sought::new(b.0, b.1, &hashing),
    );
    let (kept, sought): (&dyn Identity, &dyn Identity) = (&a.to_key(), &b);
    let equal = kept == sought;
    assert_eq!(equal, a.to_key() == b.to_key());
    assert_eq!(equal, a.hash == b.hash);
    equal
}

#[test]
fn only_the_dimensions_of_the_quota_count() {
    let q = quota("q", &[By::Team, By::ClientAddress]);
    let v4: IpAddr = [192, 0, 2, 1].into();
    let one = Subject {
        consumer: Some("a"),
        team: Some("shop"),
        client: Some(v4),
        ..Subject::default()
    };
    let mapped: IpAddr = "::ffff:192.0.2.1".parse().expect("an address");
    let two = Subject {
        consumer: Some("b"),
        client: Some(mapped),
        ..one
    };
    assert!(same((&q, &one), (&q, &two)));
    assert!(!same(
        (&q, &one),
        (
            &q,
            &Subject {
                team: Some("x"),
                ..one
            }
        )
    ));
    assert!(!same(
        (&q, &one),
        (
            &q,
            &Subject {
                client: None,
                ..one
            }
        )
    ));
}

#[test]
fn nothing_slides_from_one_part_into_another() {
    let subject = Subject {
        consumer: Some("x"),
        team: Some("x"),
        ..Subject::default()
    };
    let (consumer, team) = (quota("q", &[By::Consumer]), quota("q", &[By::Team]));
    assert!(!same((&consumer, &subject), (&team, &subject)));
    assert!(!same(
        (&consumer, &subject),
        (&quota("q", &[By::Consumer, By::Team]), &subject)
    ));
    let both = quota("q", &[By::Consumer, By::Team]);
    let left = Subject {
        consumer: Some("ab"),
        team: Some("c"),
        ..Subject::default()
    };
    let right = Subject {
        consumer: Some("a"),
        team: Some("bc"),
        ..Subject::default()
    };
    assert!(!same((&both, &left), (&both, &right)));
    let empty = Subject {
        consumer: Some(""),
        ..Subject::default()
    };
    assert!(!same((&consumer, &empty), (&consumer, &Subject::default())));
}

#[test]
fn another_name_unit_or_window_is_another_count() {
    let q = quota("q", &[]);
    let subject = Subject::default();
    assert!(same((&q, &subject), (&q.clone(), &subject)));
    assert!(!same((&q, &subject), (&quota("r", &[]), &subject)));
    assert!(!same(
        (&q, &subject),
        (
            &Quota {
                unit: Unit::Tokens,
                ..q.clone()
            },
            &subject
        )
    ));
    let hourly = Window::Fixed {
        every: Period::Hour,
    };
    assert!(!same(
        (&q, &subject),
        (
            &Quota {
                window: hourly,
                ..q.clone()
            },
            &subject
        )
    ));
    let raised = Limit {
        default: 2,
        overrides: Default::default(),
    };
    assert!(same(
        (&q, &subject),
        (
            &Quota {
                limit: raised,
                ..q.clone()
            },
            &subject
        )
    ));
}
