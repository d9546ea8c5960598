//! What an image costs in tokens, by the formulas of OpenAI's guide "Images and vision" as of
//! September 2026, and of its edition of April 2026 for models which the later one only names as
//! deprecated.
//!
//! Some models cover an image with tiles of 512 pixels and charge a base besides, others with
//! patches of 32. Both shrink it first, by limits that depend on `detail`, and never enlarge it.
//! Where the size is not known, an image costs the most it could. Opens no URL.

use weir_protocols::image::{self, Size};
use weir_protocols::llm::prompt::{Detail, Image};

use super::{ATTACHMENT, model};

/// A side of a patch, in pixels.
const PATCH: u64 = 32;
/// An image of more patches than this is refused by the provider, whatever the model.
const MOST_PATCHES: u64 = 30_000;
/// The most tiles there can be: two by four, since no image stays larger than 768 by 2048.
const MOST_TILES: u64 = 8;
/// The largest published price of a patch, in hundredths of a token.
const DEAREST_PATCH: u64 = 246;

/// How a model charges an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Formula {
    /// A base and a price per tile, in tokens; at low detail, the base alone.
    Tiles { base: u64, tile: u64 },
    /// Hundredths of a token per patch, and what shrinks an image before.
    Patches { price: u64, limits: Limits },
    /// Nothing is published.
    Unpublished,
}

/// What an image is shrunk to, by detail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    low: Limit,
    high: Limit,
    original: Limit,
    auto: Limit,
}

/// The longest side in pixels, and the most patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limit {
    side: u64,
    patches: u64,
}

const fn limit(side: u64, patches: u64) -> Limit {
    Limit { side, patches }
}

const THUMBNAIL: Limit = limit(512, MOST_PATCHES);
const HIGH: Limit = limit(2048, 2500);
const LARGE: Limit = limit(6000, 10_000);
const WHOLE: Limit = limit(65_535, MOST_PATCHES);

/// One limit, whatever the detail.
const fn always(limit: Limit) -> Limits {
    Limits {
        low: limit,
        high: limit,
        original: limit,
        auto: limit,
    }
}

impl Formula {
    /// The formula of a model, by its provider's name for it.
    pub(super) fn of(model: &str) -> Self {
        let tiles = |base, tile| Self::Tiles { base, tile };
        let patches = |price, limits| Self::Patches { price, limits };
        let detailed = |low, high, original, auto| Limits {
            low,
            high,
            original,
            auto,
        };
        match model::base(model) {
            "gpt-4o"
            | "chatgpt-4o-latest"
            | "gpt-4.1"
            | "gpt-4.5-preview"
            | "gpt-4-turbo"
            | "gpt-4-vision-preview" => tiles(85, 170),
            "gpt-4o-mini" => tiles(2833, 5667),
            "gpt-5" | "gpt-5-chat-latest" | "gpt-5.1" => tiles(70, 140),
            "o1" | "o1-pro" | "o3" => tiles(75, 150),
            "computer-use-preview" => tiles(65, 129),
            "gpt-6-astra" => {
                let high = limit(65_535, 2500);
                patches(120, detailed(THUMBNAIL, high, WHOLE, WHOLE))
            }
            "gpt-5.6-sol" | "gpt-5.6-terra" | "gpt-5.6-luna" => {
                patches(120, detailed(THUMBNAIL, HIGH, WHOLE, WHOLE))
            }
            "gpt-5.5" => patches(120, detailed(THUMBNAIL, HIGH, LARGE, LARGE)),
            "gpt-5.4" | "gpt-5.4-mini" | "gpt-5.4-nano" => {
                patches(120, detailed(limit(2048, 6144), HIGH, LARGE, HIGH))
            }
            "gpt-5.2" => patches(120, always(limit(2048, 6144))),
            "gpt-4.1-mini" => patches(162, always(limit(2048, 6144))),
            "gpt-4.1-nano" => patches(246, always(limit(2048, 1536))),
            "o4-mini" => patches(172, always(limit(2048, 1536))),
            "gpt-5-mini" => patches(120, always(limit(2048, 1536))),
            "gpt-5-nano" => patches(150, always(limit(2048, 1536))),
            _ => Self::Unpublished,
        }
    }

    /// The tokens of an image.
    pub(super) fn tokens(self, image: Image<'_>) -> u64 {
        let in_url = image.url.and_then(image::size_in_data_url);
        let size = in_url.or_else(|| image.base64.and_then(image::size_in_base64));
        match (self, image.detail) {
            // The base alone; whatever else `detail` says means high.
            (Self::Tiles { base, .. }, Detail::Low) => base,
            (Self::Tiles { base, tile }, _) => base + tile * size.map_or(MOST_TILES, tiles),
            (Self::Patches { price, limits }, detail) => {
                let patches = |limit: Limit| size.map_or(limit.most(), |size| limit.patches(size));
                price_of(limits.of(detail).map(patches).max().unwrap_or(0), price)
            }
            (Self::Unpublished, _) => {
                let patches = size.map_or(0, |size| WHOLE.patches(size));
                price_of(patches, DEAREST_PATCH).max(ATTACHMENT)
            }
        }
    }
}

fn price_of(patches: u64, hundredths: u64) -> u64 {
    (patches * hundredths).div_ceil(100)
}

/// How many tiles cover an image once it fits 2048 pixels, and its shorter side 768.
fn tiles(size: Size) -> u64 {
    const TILE: u64 = 512;
    const SHORT: u64 = 768;
    let (width, height) = fit(size, 2048);
    let (short, long) = (width.min(height), width.max(height));
    let (short, long) = match short > SHORT {
        true => (SHORT, long * SHORT / short),
        false => (short, long),
    };
    short.div_ceil(TILE) * long.div_ceil(TILE)
}

/// Shrinks an image until no side is longer than `side`, to the nearest whole pixel.
fn fit(size: Size, side: u64) -> (u64, u64) {
    let (width, height) = (u64::from(size.width), u64::from(size.height));
    let longest = width.max(height);
    if longest <= side {
        return (width, height);
    }
    let shrunk = |pixels: u64| ((2 * pixels * side + longest) / (2 * longest)).max(1);
    (shrunk(width), shrunk(height))
}

impl Limits {
    /// The limits that may apply: all of them, where `detail` does not say which.
    fn of(self, detail: Detail) -> impl Iterator<Item = Limit> {
        let every = [self.auto, self.low, self.high, self.original];
        let which = match detail {
            Detail::Auto => 0..1,
            Detail::Low => 1..2,
            Detail::High => 2..3,
            Detail::Original => 3..4,
            Detail::Other => 0..4,
        };
        every.into_iter().take(which.end).skip(which.start)
    }
}

impl Limit {
    /// The most patches of any image.
    fn most(self) -> u64 {
        self.patches.min(self.side.div_ceil(PATCH).pow(2))
    }

    /// How many patches cover an image once it is within the limit.
    fn patches(self, size: Size) -> u64 {
        let (width, height) = fit(size, self.side);
        let patches = cover(width, height);
        if patches <= self.patches || self.patches == MOST_PATCHES {
            return patches.min(MOST_PATCHES);
        }
        self.shrunk(width as f64, height as f64)
    }

    /// The patches left when an image of more is shrunk to as many as may be, in whole patches
    /// along the side that this cuts most from.
    fn shrunk(self, width: f64, height: f64) -> u64 {
        let patch = PATCH as f64;
        let factor = (patch * patch * self.patches as f64 / (width * height)).sqrt();
        let whole = |pixels: f64| (pixels * factor / patch).floor() / (pixels * factor / patch);
        let factor = factor * whole(width).min(whole(height));
        let pixels = |side: f64| (side * factor).floor() as u64;
        match cover(pixels(width), pixels(height)) {
            // Narrower than a patch: the formula breaks down, the limit holds.
            0 => self.patches,
            patches => patches.min(self.patches),
        }
    }
}

fn cover(width: u64, height: u64) -> u64 {
    width.div_ceil(PATCH) * height.div_ceil(PATCH)
}

#[cfg(test)]
mod tests;
