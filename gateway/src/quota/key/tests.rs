//! What makes two keys one, and what does not.

use super::*;
use crate::quota::Limit;
use crate::quota::{Period, Zone};

fn quota(name: &str, by: &[By]) -> Quota {
    let day = Window::Fixed {
        every: Period::Day(Zone::UTC),
    };
    let of_tokens = crate::quota::tests::quota(name, 1, day, by);
    Quota {
        unit: Unit::Requests,
        ..Quota::clone(&of_tokens)
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
fn clients_of_one_network_of_64_bits_share_a_count() {
    let q = quota("q", &[By::ClientAddress]);
    let client = |address: &str| Subject {
        client: Some(address.parse().expect("an address")),
        ..Subject::default()
    };
    for (one, other, shared) in [
        ("2001:db8::1", "2001:db8::ffff:1:2:3", true),
        ("2001:db8::1", "2001:db8:0:1::1", false),
        ("192.0.2.1", "192.0.2.2", false),
    ] {
        let is_same = same((&q, &client(one)), (&q, &client(other)));
        assert_eq!(is_same, shared, "{one} {other}");
    }
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

#[test]
fn all_who_share_a_count_share_a_book_and_trees_lie_together() {
    let hashing = RandomState::new();
    let name = |by: &[By], subject: &Subject<'_>| {
        let quota = quota("q", by);
        Sought::new(&quota, subject, &hashing).name()
    };
    let member = |consumer| Subject {
        organisation: Some("acme"),
        team: Some("shop"),
        consumer: Some(consumer),
        ..Subject::default()
    };
    let alone = |consumer| Subject {
        consumer: Some(consumer),
        ..Subject::default()
    };
    for by in [&[][..], &[By::Organisation], &[By::Team], &[By::Route]] {
        assert_eq!(name(by, &alone("a")), name(by, &alone("b")), "{by:?}");
        assert_eq!(name(by, &member("a")), name(by, &member("b")), "{by:?}");
    }
    assert_ne!(
        name(&[By::Consumer], &alone("a")),
        name(&[By::Consumer], &alone("b"))
    );
    let root = |by: &[By]| name(by, &member("a")).1;
    for by in [By::Organisation, By::Team, By::Consumer] {
        assert_eq!(&*root(&[by]), "acme");
    }
    assert_eq!(&*root(&[By::Route]), "q*");
}
