//! Who is let in.

use super::*;

fn restriction(allow: &[&str], deny: &[&str]) -> IpRestriction {
    let nets = |list: &[&str]| list.iter().map(|n| n.parse().expect("a network")).collect();
    IpRestriction(Config {
        allow: nets(allow),
        deny: nets(deny),
    })
}

#[test]
fn deny_wins_and_an_empty_allow_lets_all_others_in() {
    let only = restriction(&["10.0.0.0/8"], &["10.0.0.66/32"]);
    let admits = |r: &IpRestriction, a: &str| r.admits(a.parse().expect("an address"));
    assert!(admits(&only, "10.1.2.3"));
    assert!(!admits(&only, "10.0.0.66"));
    assert!(!admits(&only, "192.0.2.1"));
    let all_but = restriction(&[], &["2001:db8::/32"]);
    assert!(admits(&all_but, "192.0.2.1"));
    assert!(!admits(&all_but, "2001:db8::1"));
}
