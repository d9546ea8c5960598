//! The order of edits.

use super::*;

#[test]
fn fields_are_removed_then_set_then_added() {
    let mut head = ResponseHeader::build(200, None).expect("a head");
    for (name, value) in [("x-a", "old"), ("x-b", "old"), ("x-c", "old")] {
        head.append_header(name, value).expect("a header");
    }
    let name = |n: &'static str| HeaderName::from_static(n);
    let new = HeaderValue::from_static("new");
    let edits = Edits {
        remove: vec![name("x-a")],
        set: vec![(name("x-b"), new.clone())],
        add: vec![(name("x-a"), new.clone()), (name("x-c"), new)],
    };
    apply(&edits, &mut head);
    let all = |n: &str| -> Vec<_> {
        head.headers
            .get_all(n)
            .iter()
            .map(|v| v.to_str().expect("text").to_owned())
            .collect()
    };
    assert_eq!(all("x-a"), ["new"]);
    assert_eq!(all("x-b"), ["new"]);
    assert_eq!(all("x-c"), ["old", "new"]);
}
