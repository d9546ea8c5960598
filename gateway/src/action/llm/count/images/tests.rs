//! The formulas on the examples that OpenAI publishes, on what its users were billed, and at their
//! edges.

use proptest::prelude::*;

use super::*;

fn limit_of(model: &str, detail: Detail) -> Limit {
    match Formula::of(model) {
        Formula::Patches { limits, .. } => limits.of(detail).next().expect("at least one"),
        formula => panic!("{model} has {formula:?}"),
    }
}

fn patches(model: &str, width: u32, height: u32) -> u64 {
    limit_of(model, Detail::High).patches(Size { width, height })
}

fn unseen(detail: Detail) -> Image<'static> {
    Image {
        base64: None,
        url: Some("https://a.example/b.png"),
        detail,
    }
}

#[test]
fn tiles_are_counted_as_published() {
    let tiles = |width, height| super::tiles(Size { width, height });
    assert_eq!(tiles(1024, 1024), 4);
    assert_eq!(tiles(2048, 4096), 6);
    assert_eq!(tiles(4096, 8192), 6);
    assert_eq!(tiles(512, 512), 1, "nothing is enlarged");
    assert_eq!(tiles(1, 1), 1);
    // Billed so: the side that follows is rounded, to 513 and to 512 pixels.
    assert_eq!(tiles(2049, 513), 8);
    assert_eq!(tiles(2050, 513), 4);
    assert_eq!(tiles(u32::MAX, 1), 4);
    assert_eq!(tiles(u32::MAX, u32::MAX), 4);
}

#[test]
fn patches_are_counted_as_published() {
    assert_eq!(patches("o4-mini", 1024, 1024), 1024);
    assert_eq!(patches("o4-mini", 1800, 2400), 1452);
    assert_eq!(patches("gpt-5.4", 1024, 1024), 1024);
    assert_eq!(patches("gpt-5.4", 2048, 2048), 2500);
    // Billed so.
    assert_eq!(patches("gpt-4.1-mini", 4000, 1474), 1536);
    assert_eq!(patches("gpt-5.4", u32::MAX, 1), 64);
    // Of 2048 by 2 patches, one by as many as then are left.
    assert_eq!(patches("gpt-6-astra", 65_535, 40), 1639);
    assert_eq!(price_of(1024, 120), 1229);
    assert_eq!(price_of(2500, 120), 3000);
}

#[test]
fn an_image_that_is_not_seen_costs_the_most_it_could() {
    for (model, detail, most) in [
        ("gpt-4o", Detail::High, 85 + 8 * 170),
        ("gpt-4o", Detail::Auto, 85 + 8 * 170),
        ("gpt-4o", Detail::Other, 85 + 8 * 170),
        ("gpt-4o", Detail::Low, 85),
        ("gpt-4o-mini-2024-07-18", Detail::Low, 2833),
        ("gpt-4.1-mini", Detail::Low, 6636),
        ("gpt-5-nano", Detail::High, 2304),
        ("gpt-5.4", Detail::High, 3000),
        ("gpt-5.4", Detail::Low, 4916),
        ("gpt-5.4", Detail::Original, 12_000),
        ("gpt-5.4", Detail::Other, 12_000),
        ("gpt-5.5", Detail::Auto, 12_000),
        ("gpt-5.5", Detail::Low, 308),
        ("gpt-5.6-sol", Detail::Auto, 36_000),
        ("mixtral", Detail::High, ATTACHMENT),
    ] {
        let tokens = Formula::of(model).tokens(unseen(detail));
        assert_eq!(tokens, most, "{model} {detail:?}");
    }
}

#[test]
fn an_image_in_the_request_is_charged_by_its_size() {
    // A canvas of 1024 by 1024 pixels, in the first bytes of a GIF.
    let image = Image {
        base64: None,
        url: Some("data:image/gif;base64,R0lGODlhAAQABA=="),
        detail: Detail::High,
    };
    for (model, tokens) in [
        ("gpt-4o", 765),
        ("gpt-5.4", 1229),
        ("gpt-4.1-nano", 2520),
        // Nothing is published: no less than the flat sum, nor than the dearest patches.
        ("mixtral", ATTACHMENT),
    ] {
        assert_eq!(Formula::of(model).tokens(image), tokens, "{model}");
    }
}

proptest! {
    #[test]
    fn no_image_costs_more_than_an_unseen_one(
        width in prop_oneof![1_u32..5000, any::<u32>().prop_map(|side| side.max(1))],
        height in prop_oneof![1_u32..5000, any::<u32>().prop_map(|side| side.max(1))],
    ) {
        let size = Size { width, height };
        prop_assert!((1..=MOST_TILES).contains(&tiles(size)));
        for limit in [THUMBNAIL, HIGH, LARGE, WHOLE, limit(2048, 1536), limit(65_535, 2500)] {
            prop_assert!((1..=limit.most()).contains(&limit.patches(size)), "{limit:?}");
        }
    }
}
