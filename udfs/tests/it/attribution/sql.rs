//! What the functions give where rows are odd: NULLs, no rows, ties, people without touches.

use super::lines;
use crate::sql::context;

const NOBODY: &str = "(SELECT * FROM (VALUES ('u', TIMESTAMP '2024-05-01T10:00:00', 'purchase', 'search', 5)) \
                      AS t (user_id, ts, event, channel, revenue) WHERE false)";

#[tokio::test]
async fn no_rows_give_no_rows() {
    for function in ["attribution", "attribution_summary"] {
        assert!(lines(&context(), &format!("SELECT * FROM {function}({NOBODY})")).await.is_empty());
    }
    let sql = format!("SELECT * FROM attribution_explain({NOBODY}, user_id => 'u')");
    assert!(lines(&context(), &sql).await.is_empty());
    let sql = format!("SELECT attribute('linear', ts, channel, event = 'purchase') FROM {NOBODY}");
    assert_eq!(lines(&context(), &sql).await, ["[]"]);
}

#[tokio::test]
async fn rows_without_person_time_or_key() {
    let data = "(SELECT * FROM (VALUES \
        (NULL, TIMESTAMP '2024-05-01T10:00:00', 'purchase', 'search', 5), \
        ('u', NULL, 'purchase', 'search', 5), \
        ('u', TIMESTAMP '2024-05-01T09:00:00', 'visit', NULL, NULL), \
        ('u', TIMESTAMP '2024-05-01T10:00:00', NULL, 'email', NULL), \
        ('u', TIMESTAMP '2024-05-01T11:00:00', 'purchase', NULL, NULL)) AS t (user_id, ts, event, channel, revenue))";
    let sql = format!(
        "SELECT conversion_id, touch_key, credit, conversion_value, value FROM attribution({data}, models => ['linear'])"
    );
    assert_eq!(lines(&context(), &sql).await, ["u@2024-05-01T11:00:00.000000000Z|email|1.0|-|-"]);
    let sql = format!(
        "SELECT touch_key, conversions, value, share, cost, cpa, roas, conversions_low, conversions_high \
         FROM attribution_summary({data}, models => ['linear'])"
    );
    assert_eq!(lines(&context(), &sql).await, ["email|1.0|-|1.0|-|-|-|1|1"]);
}

/// Two purchases of one instant, and touches at it.
#[tokio::test]
async fn ties_follow_the_rule() {
    let data = "(SELECT * FROM (VALUES \
        ('e1', 'u', TIMESTAMP '2024-05-01T10:00:00', 'visit', 'b'), \
        ('e2', 'u', TIMESTAMP '2024-05-01T11:00:00', 'visit', 'z'), \
        ('e3', 'u', TIMESTAMP '2024-05-01T11:00:00', 'purchase', NULL), \
        ('e4', 'u', TIMESTAMP '2024-05-01T11:00:00', 'visit', 'a'), \
        ('e5', 'u', TIMESTAMP '2024-05-01T11:00:00', 'purchase', 'c')) AS t (event_id, user_id, ts, event, channel))";
    for (ties, expected) in [
        // Touches of one instant by their keys: the last is z.
        ("same_instant", ["e3|b>a>c>z", "e5|b>a>c>z"]),
        ("strict", ["e3|b", "e5|b"]),
        ("order", ["e3|b>z", "e5|b>z>a>c"]),
    ] {
        let sql = format!(
            "SELECT conversion_id, string_agg(touch_key, '>' ORDER BY position) \
             FROM attribution({data}, models => ['linear'], ties => '{ties}') GROUP BY conversion_id ORDER BY 1"
        );
        assert_eq!(lines(&context(), &sql).await, expected, "{ties}");
    }
    let sql = format!(
        "SELECT conversion_id, touch_key, position FROM attribution({data}, models => ['same_touch']) \
         WHERE credit > 0 ORDER BY 1"
    );
    assert_eq!(lines(&context(), &sql).await, ["e3|(none)|-", "e5|c|3"]);
    // Without ids, conversions of one instant have names of their own.
    let sql = format!(
        "SELECT DISTINCT conversion_id FROM attribution((SELECT user_id, ts, event, channel FROM {data}), \
         models => ['linear']) ORDER BY 1"
    );
    let names = ["u@2024-05-01T11:00:00.000000000Z", "u@2024-05-01T11:00:00.000000000Z#2"];
    assert_eq!(lines(&context(), &sql).await, names);
}

#[tokio::test]
async fn the_look_back_includes_its_end() {
    let data = "(SELECT * FROM (VALUES \
        ('u', TIMESTAMP '2024-03-31T10:00:00', 'visit', 'old'), \
        ('u', TIMESTAMP '2024-04-01T10:00:00', 'visit', 'edge'), \
        ('u', TIMESTAMP '2024-04-30T09:00:00', 'visit', 'before'), \
        ('u', TIMESTAMP '2024-05-01T10:00:00', 'purchase', NULL)) AS t (user_id, ts, event, channel))";
    for (lookback, expected) in [
        ("INTERVAL '30 days'", "edge>before"),
        ("INTERVAL '1 month'", "edge>before"),
        ("INTERVAL '720 hours 1 second'", "edge>before"),
        ("INTERVAL '719 hours'", "before"),
        ("'person'", "old>edge>before"),
        ("2", "edge>before"),
        ("'1 touch'", "before"),
        ("'session'", "(none)"),
        ("'session', session_gap => INTERVAL '26 hours'", "before"),
    ] {
        let sql = format!(
            "SELECT string_agg(touch_key, '>' ORDER BY position) \
             FROM attribution({data}, models => ['linear'], lookback => {lookback})"
        );
        assert_eq!(lines(&context(), &sql).await, [expected], "{lookback}");
    }
}

#[tokio::test]
async fn direct_touches_stand_back() {
    let data = "(SELECT * FROM (VALUES \
        ('u', TIMESTAMP '2024-05-01T07:00:00', 'visit', 'search'), \
        ('u', TIMESTAMP '2024-05-01T08:00:00', 'visit', 'Direct'), \
        ('u', TIMESTAMP '2024-05-01T09:00:00', 'purchase', NULL), \
        ('v', TIMESTAMP '2024-05-01T08:00:00', 'visit', '(direct)'), \
        ('v', TIMESTAMP '2024-05-01T09:00:00', 'purchase', NULL), \
        ('w', TIMESTAMP '2024-05-01T09:00:00', 'purchase', NULL)) AS t (user_id, ts, event, channel))";
    let of = |more: &str| {
        format!(
            "SELECT user_id, touch_key FROM attribution({data}, models => ['last_non_direct']{more}) \
             WHERE credit > 0 ORDER BY 1"
        )
    };
    assert_eq!(lines(&context(), &of("")).await, ["u|search", "v|(direct)", "w|(none)"]);
    assert_eq!(
        lines(&context(), &of(", direct => channel = 'search'")).await,
        ["u|Direct", "v|(direct)", "w|(none)"]
    );
}

#[tokio::test]
async fn every_denial_is_explained() {
    let data = "(SELECT * FROM (VALUES \
        ('e1', 'u', TIMESTAMP '2024-03-01T10:00:00', 'visit', 'old'), \
        ('e2', 'u', TIMESTAMP '2024-05-01T10:00:00', 'visit', 'search'), \
        ('e3', 'u', TIMESTAMP '2024-05-02T10:00:00', 'visit', 'blocked'), \
        ('e4', 'u', TIMESTAMP '2024-05-03T10:00:00', 'visit', 'email'), \
        ('e5', 'u', TIMESTAMP '2024-05-04T10:00:00', 'purchase', NULL), \
        ('e6', 'u', TIMESTAMP '2024-05-05T10:00:00', 'visit', 'late')) AS t (event_id, user_id, ts, event, channel))";
    let of = |ask: &str| {
        format!(
            "SELECT touch_event_id, credit, reason FROM attribution_explain({data}, {ask}, \
             models => ['last_touch'], exclude => channel = 'blocked') ORDER BY 1"
        )
    };
    let expected = [
        "e1|0.0|older than the look-back",
        "e2|0.0|touch 1 of 2, by last_touch",
        "e3|0.0|excluded",
        "e4|1.0|touch 2 of 2, by last_touch",
        "e6|0.0|not before the conversion",
    ];
    for ask in ["conversion_id => 'e5'", "user_id => 'u'", "conversion_id => 'e5', user_id => 'u'"] {
        assert_eq!(lines(&context(), &of(ask)).await, expected, "{ask}");
    }
    for ask in ["conversion_id => 'e4'", "user_id => 'v'", "conversion_id => 'e5', user_id => 'v'"] {
        assert!(lines(&context(), &of(ask)).await.is_empty(), "{ask}");
    }
    let without_ids = format!(
        "SELECT count(*) FROM attribution_explain((SELECT user_id, ts, event, channel FROM {data}), \
         conversion_id => 'u@2024-05-04T10:00:00.000000000Z', models => ['linear'])"
    );
    assert_eq!(lines(&context(), &without_ids).await, ["5"]);
}

/// The shape of the question by which attribution is compared with other engines.
#[tokio::test]
async fn four_models_by_channel() {
    let data = "(SELECT * FROM (VALUES \
        ('a', TIMESTAMP '2024-05-01T10:00:00', 'ad_view', 'display', NULL), \
        ('a', TIMESTAMP '2024-05-08T10:00:00', 'email_open', 'email', NULL), \
        ('a', TIMESTAMP '2024-05-08T10:00:00.000001', 'support_chat', 'chat', NULL), \
        ('a', TIMESTAMP '2024-05-15T10:00:00', 'purchase', 'web', 90), \
        ('b', TIMESTAMP '2024-05-15T10:00:00', 'ad_view', 'display', NULL), \
        ('b', TIMESTAMP '2024-05-15T10:00:00', 'purchase', 'web', 12)) AS t (user_id, ts, event, channel, revenue))";
    let sql = format!(
        "SELECT touch_key AS channel, \
         sum(value) FILTER (WHERE model = 'last_touch') AS last_touch, \
         sum(value) FILTER (WHERE model = 'first_touch') AS first_touch, \
         sum(value) FILTER (WHERE model = 'linear') AS linear, \
         sum(value) FILTER (WHERE model = 'time_decay') AS time_decay \
         FROM attribution_summary({data}, conversion => 'purchase', \
         touch => event IN ('ad_view', 'ad_click', 'email_open', 'email_click', 'push_open'), \
         models => ['last_touch', 'first_touch', 'linear', 'time_decay'], lookback => INTERVAL '30 days', \
         half_life => INTERVAL '7 days', ties => 'strict') GROUP BY touch_key ORDER BY channel"
    );
    let expected = [
        "(none)|12.0000|12.0000|12.0000|12.0000",
        "display|0.0000|90.0000|45.0000|30.0000",
        "email|90.0000|0.0000|45.0000|60.0000",
    ];
    assert_eq!(lines(&context(), &sql).await, expected);
}
