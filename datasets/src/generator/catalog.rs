//! What the shop and its visitors look like: countries, devices, products, pages, search words.

use std::sync::LazyLock;

use super::kind::slots;
use super::rng::{Rng, mix64};

/// Products of the shop.
pub(crate) const PRODUCTS: u32 = 2000;

/// Country, currency, relative frequency.
const COUNTRIES: [(&str, &str, u32); 20] = [
    ("US", "USD", 60),
    ("DE", "EUR", 34),
    ("GB", "GBP", 28),
    ("FR", "EUR", 22),
    ("NL", "EUR", 12),
    ("ES", "EUR", 12),
    ("IT", "EUR", 11),
    ("CA", "USD", 11),
    ("AU", "USD", 9),
    ("AT", "EUR", 8),
    ("BE", "EUR", 7),
    ("IE", "EUR", 6),
    ("IN", "USD", 6),
    ("BR", "USD", 6),
    ("JP", "USD", 5),
    ("MX", "USD", 5),
    ("PT", "EUR", 4),
    ("FI", "EUR", 4),
    ("NZ", "USD", 3),
    ("SG", "USD", 3),
];

const DEVICES: [(&str, u32); 3] = [("mobile", 58), ("desktop", 34), ("tablet", 8)];

/// Search words, written as they stand inside a JSON string.
pub(crate) const QUERIES: [&str; 16] = [
    "running shoes",
    "rain jacket",
    "headphones",
    "coffee mug",
    "27\\\" monitor",
    "caf\u{e9} au lait bowls",
    "kids bike",
    "t-shirt, white",
    "gr\u{f6}\u{df}e 42",
    "backpack 30l",
    "desk lamp",
    "yoga mat",
    "usb-c cable",
    "gift card",
    "return label",
    "\u{9774}",
];

pub(crate) const SUPPORT_TOPICS: [&str; 5] = ["delivery", "payment", "returns", "product", "account"];
pub(crate) const COUPONS: [&str; 4] = ["SPRING10", "WELCOME5", "FREESHIP", "VIP20"];

const CATEGORIES: [&str; 12] = [
    "shoes", "jackets", "shirts", "bags", "audio", "monitors", "kitchen", "lamps", "sports", "bikes", "kids",
    "sale",
];
const FIXED_PAGES: [&str; 10] = [
    "/",
    "/search",
    "/cart",
    "/checkout",
    "/checkout/done",
    "/account",
    "/account/login",
    "/account/signup",
    "/support",
    "/forms/contact",
];

/// Index into the pages of the shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page(u16);

impl Page {
    pub(crate) const HOME: Self = Self(0);
    pub(crate) const SEARCH: Self = Self(1);
    pub(crate) const CART: Self = Self(2);
    pub(crate) const CHECKOUT: Self = Self(3);
    pub(crate) const CHECKOUT_DONE: Self = Self(4);
    pub(crate) const ACCOUNT: Self = Self(5);
    pub(crate) const LOGIN: Self = Self(6);
    pub(crate) const SIGNUP: Self = Self(7);
    pub(crate) const SUPPORT: Self = Self(8);
    pub(crate) const FORM: Self = Self(9);

    pub(crate) fn product(product: u16) -> Self {
        Self((FIXED_PAGES.len() + CATEGORIES.len()) as u16 + product)
    }

    /// The home page in a quarter of the cases, else a category.
    pub(crate) fn browse(rng: &mut Rng) -> Self {
        if rng.chance(64) {
            return Self::HOME;
        }
        let category = popular(rng, CATEGORIES.len() as u32);
        Self(FIXED_PAGES.len() as u16 + category)
    }

    pub(crate) fn path(self) -> &'static str {
        PAGES[usize::from(self.0)].as_str()
    }
}

static PAGES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let fixed = FIXED_PAGES.iter().map(|page| (*page).to_owned());
    let categories = CATEGORIES.iter().map(|category| format!("/category/{category}"));
    let products = (0..PRODUCTS).map(|product| format!("/product/p{product:04}"));
    fixed.chain(categories).chain(products).collect()
});

/// Returns an index in `0..count` of which low ones are much more frequent. `count` is below 65,536.
fn popular(rng: &mut Rng, count: u32) -> u16 {
    // The square of a uniform number has the density 1 / (2 sqrt(x)).
    let uniform = u64::from(rng.next_u32());
    let square = (uniform * uniform) >> 32;
    ((square * u64::from(count)) >> 32) as u16
}

/// Draws a product.
pub(crate) fn product(rng: &mut Rng) -> u16 {
    popular(rng, PRODUCTS)
}

/// Returns the price of a product in cents: 5 to about 600, most between 10 and 60.
pub(crate) fn price_cents(product: u16) -> u32 {
    let mut rng = Rng::new(mix64(u64::from(product)));
    let raw = 500 + rng.heavy_tail(1500, 40) as u32;
    // Shop prices end in .99, .50 or .00.
    match product % 3 {
        0 => raw / 100 * 100 + 99,
        1 => raw / 100 * 100 + 50,
        _ => raw / 100 * 100,
    }
}

static COUNTRY_SLOTS: LazyLock<[u8; 256]> = LazyLock::new(|| {
    let weights: Vec<(u8, u32)> =
        (0_u8..).zip(&COUNTRIES).map(|(index, country)| (index, country.2)).collect();
    slots(&weights)
});

static DEVICE_SLOTS: LazyLock<[u8; 256]> = LazyLock::new(|| {
    let weights: Vec<(u8, u32)> = (0_u8..).zip(&DEVICES).map(|(index, device)| (index, device.1)).collect();
    slots(&weights)
});

pub(crate) fn draw_country(rng: &mut Rng) -> u8 {
    COUNTRY_SLOTS[rng.slot()]
}

pub(crate) fn draw_device(rng: &mut Rng) -> u8 {
    DEVICE_SLOTS[rng.slot()]
}

pub(crate) fn country_name(country: u8) -> &'static str {
    COUNTRIES[usize::from(country)].0
}

/// Currency of the shop in a country.
pub(crate) fn country_currency(country: u8) -> &'static str {
    COUNTRIES[usize::from(country)].1
}

pub(crate) fn device_name(device: u8) -> &'static str {
    DEVICES[usize::from(device)].0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_product_has_a_page_and_a_price() {
        for product in 0..PRODUCTS as u16 {
            assert_eq!(Page::product(product).path(), format!("/product/p{product:04}"));
            assert!((500..=70_000).contains(&price_cents(product)));
        }
        assert_eq!(Page::FORM.path(), "/forms/contact");
    }

    #[test]
    fn every_country_and_device_occurs() {
        for index in 0..COUNTRIES.len() as u8 {
            assert!(COUNTRY_SLOTS.contains(&index));
        }
        for index in 0..DEVICES.len() as u8 {
            assert!(DEVICE_SLOTS.contains(&index));
        }
    }
}
