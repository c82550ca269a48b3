//! The channel of a contact, where a tool names none.

/// Words for the medium of a link, and the channel that each means.
const MEDIA: [(&str, &[&str]); 11] = [
    ("paid_search", &["cpc", "ppc", "sem", "paidsearch", "paid_search", "paid-search"]),
    ("paid_social", &["paidsocial", "paid_social", "paid-social", "cpc_social"]),
    ("display", &["display", "banner", "cpm", "interstitial", "expandable"]),
    ("email", &["email", "e-mail", "e_mail", "newsletter", "mail"]),
    ("affiliate", &["affiliate", "affiliates"]),
    ("organic_social", &["social", "social-network", "social-media", "sm", "social network", "social media"]),
    ("organic_search", &["organic", "search"]),
    ("referral", &["referral", "unknown"]),
    ("sms", &["sms"]),
    ("push", &["push", "notification"]),
    ("direct", &["(none)", "(not set)"]),
];

/// Names that a host of a search engine or a social network has before its top-level domain.
const SEARCH: [&str; 9] =
    ["google", "bing", "duckduckgo", "yahoo", "ecosia", "baidu", "yandex", "startpage", "qwant"];
const SOCIAL: [&str; 10] =
    ["facebook", "instagram", "linkedin", "twitter", "x", "pinterest", "reddit", "tiktok", "youtube", "t"];

/// The channel of a touchpoint: by the medium of its campaign, else by its referrer. `None` where neither says
/// anything: moving about within a site is no new contact.
///
/// Paid links of social networks (`cpc` with such a source) are `paid_social`; a medium or source that is not known
/// is `other`.
pub(super) fn channel(
    source: Option<&str>,
    medium: Option<&str>,
    referrer: Option<&str>,
    page: Option<&str>,
) -> Option<&'static str> {
    let medium = medium.map(str::to_ascii_lowercase);
    let source = source.map(str::to_ascii_lowercase);
    if let Some(medium) = medium.as_deref() {
        if medium == "internal" {
            return None;
        }
        let known = MEDIA.iter().find(|(_, words)| words.contains(&medium)).map(|(channel, _)| *channel);
        return Some(match known {
            Some("paid_search") if source.as_deref().is_some_and(is_social) => "paid_social",
            Some(channel) => channel,
            None => "other",
        });
    }
    match source.as_deref() {
        Some("(direct)" | "direct") => return Some("direct"),
        Some(_) => return Some("other"),
        None => {}
    }
    let referrer = referrer?;
    if matches!(referrer, "$direct" | "(direct)") {
        return Some("direct");
    }
    let from = host(referrer)?;
    if page.and_then(host).is_some_and(|here| here == from) {
        return None;
    }
    let is_one_of = |names: &[&str]| labels(from).any(|label| names.contains(&label));
    Some(if is_one_of(&SEARCH) {
        "organic_search"
    } else if is_one_of(&SOCIAL) {
        "organic_social"
    } else {
        "referral"
    })
}

fn is_social(source: &str) -> bool {
    SOCIAL.contains(&source) || labels(source).any(|label| SOCIAL.contains(&label))
}

/// The parts of a host that may be a company's name: all before the top-level domain.
fn labels(host: &str) -> impl Iterator<Item = &str> {
    let before = host.rsplit_once('.').map_or("", |(before, _)| before);
    before.rsplit('.').take(2)
}

/// The host of a URL, without a leading `www.`.
fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#', ':']).next().filter(|host| !host.is_empty())?;
    Some(host.strip_prefix("www.").unwrap_or(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medium_comes_before_referrer() {
        let cases = [
            ((Some("google"), Some("CPC"), None), Some("paid_search")),
            ((Some("facebook"), Some("cpc"), None), Some("paid_social")),
            ((Some("crm"), Some("email"), Some("https://www.google.com/")), Some("email")),
            ((Some("(direct)"), Some("(none)"), None), Some("direct")),
            ((Some("poster"), Some("qr"), None), Some("other")),
            ((Some("poster"), None, None), Some("other")),
            ((None, Some("internal"), Some("https://www.google.com/")), None),
            ((None, None, Some("https://www.google.co.uk/search?q=x")), Some("organic_search")),
            ((None, None, Some("https://duckduckgo.com")), Some("organic_search")),
            ((None, None, Some("https://t.co/abc")), Some("organic_social")),
            ((None, None, Some("https://blog.example.org/post")), Some("referral")),
            ((None, None, Some("https://www.shop.example/cart")), None),
            ((None, None, Some("$direct")), Some("direct")),
            ((None, None, Some("android-app")), None),
            ((None, None, None), None),
        ];
        for ((source, medium, referrer), expected) in cases {
            let page = Some("https://shop.example/landing");
            assert_eq!(
                channel(source, medium, referrer, page),
                expected,
                "{source:?} {medium:?} {referrer:?}"
            );
        }
    }
}
