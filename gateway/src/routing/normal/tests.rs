use proptest::prelude::*;

use super::*;

fn normal(path: &str) -> String {
    normalise(path)
        .unwrap_or_else(|refused| panic!("{path}: {refused}"))
        .into_owned()
}

#[test]
fn a_normal_path_is_borrowed() {
    let paths = [
        "/",
        "/orders/7",
        "/.well-known/openid",
        "/a/...",
        "/a..b/.c./d..",
        "//a//",
        "/a%2Fb%C3%A9%20;v=1,2/:x@y!$&'()*+~",
        "/%2F.x/%5C..x",
        "/%252e%252e",
        "/a;b=./c",
    ];
    for path in paths {
        assert!(
            matches!(normalise(path), Ok(Cow::Borrowed(same)) if same == path),
            "{path}"
        );
    }
}

#[test]
fn escapes_have_one_spelling() {
    assert_eq!(normal("/%61dmin%7E/%2d%5F"), "/admin~/-_");
    assert_eq!(normal("/a%2fb%3a%c3%a9"), "/a%2Fb%3A%C3%A9");
    assert_eq!(
        normal("/café {\"x\"}^|`<>"),
        "/caf%C3%A9%20%7B%22x%22%7D%5E%7C%60%3C%3E"
    );
    assert_eq!(
        normal("/%252e%252e/%2541"),
        "/%252e%252e/%2541",
        "decoded once, not twice"
    );
}

#[test]
fn dot_segments_are_resolved_however_they_are_written() {
    for path in [
        "/a/b/../c",
        "/a/./c",
        "/a/b/%2e%2E/c",
        "/a/.%2e/a/c",
        "/x/..//../a/c",
        "/a/b/%2e./c",
    ] {
        assert_eq!(normal(path), "/a/c", "{path}");
    }
    assert_eq!(normal("/a/b/.."), "/a/");
    assert_eq!(normal("/a/b/."), "/a/b/");
    assert_eq!(normal("/a/.."), "/");
    assert_eq!(normal("/."), "/");
    assert_eq!(
        normal("/a//../b"),
        "/a/b",
        "an empty segment is a segment, RFC 3986 §5.2.4"
    );
    assert_eq!(normal(""), "/");
}

#[test]
fn nothing_climbs_above_the_root() {
    for path in ["/..", "/a/../..", "/%2e%2e/etc", "/./../a", "/../a/.."] {
        assert_eq!(normalise(path), Err(Refused::AboveRoot), "{path}");
    }
}

#[test]
fn hidden_dot_segments_are_refused() {
    let paths = [
        "/a/..%2Fadmin",
        "/a/..%2fadmin",
        "/a/%2e%2e%2fadmin",
        "/a/x%2F..",
        "/a/x%5c..%5cadmin",
        "/a/..;/admin",
        "/a/.;x=1/admin",
        "/a/..%3badmin",
        "/a/x%2F..;y",
        "/a/%2F%2e%2E",
    ];
    for path in paths {
        assert_eq!(normalise(path), Err(Refused::HiddenDots), "{path}");
    }
}

#[test]
fn what_has_no_meaning_is_refused() {
    for (path, refused) in [
        ("*", Refused::NotAbsolute),
        ("a/b", Refused::NotAbsolute),
        ("http://a/", Refused::NotAbsolute),
        ("/a%", Refused::BrokenEscape),
        ("/a%4", Refused::BrokenEscape),
        ("/a%zz", Refused::BrokenEscape),
        ("/a%+1", Refused::BrokenEscape),
        ("/a%é", Refused::BrokenEscape),
        ("/a%00", Refused::Nul),
        ("/a\0", Refused::Control),
        ("/a\r\n", Refused::Control),
        ("/a\u{7f}", Refused::Control),
        ("/a\\b", Refused::Backslash),
        ("/a?b", Refused::Delimiter),
        ("/a#b", Refused::Delimiter),
    ] {
        assert_eq!(normalise(path), Err(refused), "{path:?}");
    }
}

#[test]
fn slashes_are_merged_only_for_comparison() {
    assert!(matches!(merge_slashes("/a/b/"), Cow::Borrowed("/a/b/")));
    assert_eq!(merge_slashes("//a///b//"), "/a/b/");
    assert_eq!(merge_slashes("//"), "/");
}

/// Pieces in which the dangerous combinations are frequent.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/", "/", "/", ".", ".", "..", "%2e", "%2E", "%2F", "%2f", "%5C", "%5c", ";", "%3b", "%41",
        "%25", "%00", "%", "a", "é", "\\", "{", "?", ":", "%C3%A9", "%ff",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    #[test]
    fn the_normal_form_is_stable_and_safe(path in hostile()) {
        if let Ok(normal) = normalise(&path) {
            let again = normalise(&normal);
            prop_assert!(matches!(again, Ok(Cow::Borrowed(_))), "{normal} is copied again");
            prop_assert!(normal.starts_with('/'));
            let clean = |char: char| char.is_ascii_graphic() && !"{}\\?#".contains(char);
            prop_assert!(normal.chars().all(clean), "{normal}");
            // However a server splits and decodes it once, there is nothing left to resolve.
            let decoded = normal.replace("%2F", "/").replace("%5C", "/").replace("%3B", ";");
            for segment in decoded.split('/') {
                let name = segment.split(';').next().unwrap();
                prop_assert!(name != "." && name != "..", "{normal}");
            }
        }
    }

    #[test]
    fn a_copy_is_made_only_of_what_changes(path in hostile()) {
        match normalise(&path) {
            Ok(Cow::Owned(normal)) => prop_assert_ne!(&normal, &path),
            Ok(Cow::Borrowed(same)) => prop_assert_eq!(same, &path),
            Err(_) => {}
        }
    }

    #[test]
    fn any_text_is_normalised_or_refused(path in any::<String>()) {
        if let Ok(normal) = normalise(&path) {
            prop_assert!(normal.is_ascii() && normal.starts_with('/'));
        }
    }
}
