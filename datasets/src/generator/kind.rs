//! The events a person can cause, and which event tends to follow which.

use std::sync::LazyLock;

use EventKind::*;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum EventKind {
    PageView,
    ProductView,
    Search,
    VideoPlay,
    WishlistAdd,
    Share,
    AddToCart,
    RemoveFromCart,
    ViewCart,
    CouponApply,
    CheckoutStart,
    Purchase,
    Refund,
    Signup,
    Login,
    Logout,
    FormSubmit,
    ReviewSubmit,
    EmailOpen,
    EmailClick,
    PushOpen,
    AppOpen,
    AdView,
    AdClick,
    SupportChat,
    SupportCall,
    NpsResponse,
    CsatResponse,
    CesResponse,
}

#[rustfmt::skip]
const ALL: [EventKind; 29] = [
    PageView, ProductView, Search, VideoPlay, WishlistAdd, Share, AddToCart, RemoveFromCart, ViewCart, CouponApply,
    CheckoutStart, Purchase, Refund, Signup, Login, Logout, FormSubmit, ReviewSubmit, EmailOpen, EmailClick, PushOpen,
    AppOpen, AdView, AdClick, SupportChat, SupportCall, NpsResponse, CsatResponse, CesResponse,
];

/// Value of the `event` column, in the order of the enum.
const NAMES: [&str; ALL.len()] = [
    "page_view",
    "product_view",
    "search",
    "video_play",
    "wishlist_add",
    "share",
    "add_to_cart",
    "remove_from_cart",
    "view_cart",
    "coupon_apply",
    "checkout_start",
    "purchase",
    "refund",
    "signup",
    "login",
    "logout",
    "form_submit",
    "review_submit",
    "email_open",
    "email_click",
    "push_open",
    "app_open",
    "ad_view",
    "ad_click",
    "support_chat",
    "support_call",
    "nps_response",
    "csat_response",
    "ces_response",
];

impl EventKind {
    pub(crate) fn name(self) -> &'static str {
        NAMES[self as usize]
    }

    /// Shown away from the shop's pages: no page, no cookie.
    pub(crate) fn is_off_site(self) -> bool {
        matches!(self, EmailOpen | PushOpen | AdView | SupportCall | NpsResponse | CsatResponse | CesResponse)
    }

    /// Contact with the service team or a survey: no marketing channel brought it.
    pub(crate) fn is_service(self) -> bool {
        matches!(self, SupportChat | SupportCall | NpsResponse | CsatResponse | CesResponse | Refund)
    }
}

/// How ready a visit is to convert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    Low,
    Middle,
    High,
}

impl Readiness {
    const ALL: [Self; 3] = [Self::Low, Self::Middle, Self::High];

    /// Returns the level `steps` above (or below) this one, kept in range.
    pub(crate) fn shifted(self, steps: i32) -> Self {
        match (self as i32 + steps).clamp(0, 2) {
            0 => Self::Low,
            1 => Self::Middle,
            _ => Self::High,
        }
    }

    /// Factor of the weights of conversion steps, in halves.
    fn conversion_halves(self) -> u32 {
        match self {
            Self::Low => 1,
            Self::Middle => 2,
            Self::High => 3,
        }
    }
}

/// Relative frequency of the events after `kind`.
#[rustfmt::skip]
fn followers(kind: EventKind) -> &'static [(EventKind, u32)] {
    match kind {
        PageView => &[
            (ProductView, 66), (PageView, 56), (Search, 26), (VideoPlay, 8), (Login, 8), (AdView, 8), (Signup, 6),
            (FormSubmit, 4), (SupportChat, 3), (Share, 2),
        ],
        ProductView => &[
            (ProductView, 48), (AddToCart, 20), (PageView, 20), (Search, 10), (WishlistAdd, 5), (AdView, 4), (Share, 2),
        ],
        Search => &[(ProductView, 62), (Search, 14), (PageView, 12)],
        VideoPlay | Share | ReviewSubmit | FormSubmit | WishlistAdd => &[(PageView, 40), (ProductView, 40), (Search, 6)],
        AddToCart => &[
            (ViewCart, 36), (ProductView, 26), (CheckoutStart, 14), (PageView, 12), (RemoveFromCart, 4),
        ],
        ViewCart => &[
            (CheckoutStart, 38), (ProductView, 20), (PageView, 12), (RemoveFromCart, 10), (CouponApply, 6),
        ],
        RemoveFromCart => &[(ProductView, 40), (PageView, 20), (ViewCart, 20)],
        CouponApply => &[(CheckoutStart, 60), (ViewCart, 24)],
        CheckoutStart => &[(Purchase, 46), (ViewCart, 12), (PageView, 12), (SupportChat, 4), (Login, 4)],
        Purchase => &[
            (PageView, 40), (ProductView, 10), (NpsResponse, 9), (CsatResponse, 8), (Logout, 8), (ReviewSubmit, 4),
            (SupportChat, 2),
        ],
        Refund => &[(CsatResponse, 30), (PageView, 50), (Logout, 10)],
        Signup => &[(PageView, 40), (ProductView, 26), (FormSubmit, 10), (SupportChat, 3)],
        Login => &[(PageView, 44), (ProductView, 24), (ViewCart, 8)],
        Logout => &[(PageView, 40), (Login, 20)],
        EmailOpen => &[(EmailClick, 46), (EmailOpen, 12), (PageView, 6)],
        EmailClick | AdClick => &[(PageView, 46), (ProductView, 42), (Signup, 4)],
        PushOpen => &[(AppOpen, 60), (ProductView, 20)],
        AppOpen => &[(PageView, 40), (ProductView, 26), (Login, 14), (Search, 10)],
        AdView => &[(AdView, 30), (PageView, 26), (AdClick, 20)],
        SupportChat => &[
            (PageView, 36), (CesResponse, 16), (CsatResponse, 14), (SupportCall, 8), (Refund, 5), (ViewCart, 10),
        ],
        SupportCall => &[(PageView, 36), (CesResponse, 22), (CsatResponse, 18), (Refund, 8)],
        NpsResponse | CsatResponse | CesResponse => &[(PageView, 50), (ProductView, 20), (Logout, 14)],
    }
}

/// Transition tables: for each readiness and each event, the next event by a random slot of 256.
static TRANSITIONS: LazyLock<[[[EventKind; 256]; ALL.len()]; 3]> =
    LazyLock::new(|| Readiness::ALL.map(|readiness| ALL.map(|kind| transition_row(kind, readiness))));

fn transition_row(kind: EventKind, readiness: Readiness) -> [EventKind; 256] {
    let weights: Vec<(EventKind, u32)> = followers(kind)
        .iter()
        .map(|(next, weight)| {
            let is_conversion = matches!(next, AddToCart | CheckoutStart | Purchase | Signup);
            let halves = if is_conversion { readiness.conversion_halves() } else { 2 };
            (*next, weight * halves)
        })
        .collect();
    slots(&weights)
}

/// Spreads weighted values over 256 slots; a weight below 1/256 of the sum may get none.
pub(crate) fn slots<T: Copy>(weights: &[(T, u32)]) -> [T; 256] {
    let total: u32 = weights.iter().map(|(_, weight)| weight).sum();
    let mut entry = 0;
    let mut reached = weights[0].1;
    std::array::from_fn(|slot| {
        // The middle of the slot decides: (slot + 1/2) / 256 of the total weight.
        while entry + 1 < weights.len() && (2 * slot as u32 + 1) * total >= 512 * reached {
            entry += 1;
            reached += weights[entry].1;
        }
        weights[entry].0
    })
}

/// Returns the event after `kind` for a slot in `0..256`.
pub(crate) fn next_kind(kind: EventKind, readiness: Readiness, slot: usize) -> EventKind {
    TRANSITIONS[readiness as usize][kind as usize][slot]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enum_order_is_list_order() {
        for (index, kind) in ALL.iter().enumerate() {
            assert_eq!(*kind as usize, index);
        }
    }

    #[test]
    fn slots_follow_the_weights() {
        let table = slots(&[('a', 1), ('b', 2), ('c', 1)]);
        let count = |value| table.iter().filter(|slot| **slot == value).count();
        assert_eq!((count('a'), count('b'), count('c')), (64, 128, 64));
    }

    #[test]
    fn readiness_raises_conversion() {
        let purchases = |readiness| {
            (0..256).filter(|slot| next_kind(CheckoutStart, readiness, *slot) == Purchase).count()
        };
        assert!(purchases(Readiness::Low) < purchases(Readiness::Middle));
        assert!(purchases(Readiness::Middle) < purchases(Readiness::High));
    }
}
