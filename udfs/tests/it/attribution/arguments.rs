//! Wrong arguments: a plan error that names the argument and says what is allowed.

use crate::sql::{context, error};

const DATA: &str = "(SELECT * FROM (VALUES ('u', TIMESTAMP '2024-05-01T10:00:00', 'purchase', 'search', 5, 0.5::double)) \
                    AS t (user_id, ts, event, channel, revenue, floating))";

#[tokio::test]
async fn each_wrong_argument_is_named() {
    for (arguments, expected) in [
        ("models => []", "argument models must name at least one model"),
        ("models => ['lineal']", "argument models must name some of 'first_touch'"),
        ("models => ['linear', 'LINEAR']", "argument models names 'linear' twice"),
        ("models => ['custom']", "argument weights is missing"),
        ("models => ['custom'], weights => [1, 2]", "argument weights must be three numbers"),
        ("models => ['custom'], weights => [1, -2, 3]", "argument weights must be numbers from 0"),
        ("models => ['custom'], weights => [revenue, 1, 1]", "argument weights must be constant numbers"),
        ("weights => [1, 1, 1]", "argument weights is for model 'custom'"),
        ("models => ['segment_rows']", "argument segments is missing"),
        ("models => ['segment_rows'], segments => ['x:0.5:linear']", "argument segments must be texts"),
        ("models => ['segment_rows'], segments => ['2:0:linear']", "must have a weight above 0"),
        (
            "models => ['event_regular'], segments => ['a:1:linear', 'a:1:linear']",
            "argument segments names 'a' twice",
        ),
        ("models => ['event_regular'], segments => ['a:1:best']", "argument segments must be texts"),
        ("segments => ['1:1:linear']", "argument segments is for model 'event_regular' or 'segment_rows'"),
        (
            "models => ['linear'], half_life => INTERVAL '1 day'",
            "argument half_life is for model 'time_decay'",
        ),
        ("half_life => INTERVAL '1 month'", "argument half_life must be of a fixed length"),
        ("half_life => INTERVAL '0 days'", "argument half_life must be longer than nothing"),
        ("lookback => INTERVAL '-1 day'", "lookback must not be negative"),
        ("lookback => 'forever'", "lookback"),
        ("lookback => 0", "argument lookback must be a whole number from 1"),
        ("lookback => '0 touches'", "argument lookback must be from 1"),
        ("lookback => '5 touches', lookback_touches => 5", "arguments lookback and lookback_touches both"),
        ("lookback_touches => 'x'", "argument lookback_touches must be a whole number"),
        ("session => event", "argument session needs lookback => 'session'"),
        (
            "lookback => 'session', session => event, session_gap => INTERVAL '1 hour'",
            "argument session_gap does not go",
        ),
        ("ties => 'maybe'", "argument ties must be one of 'same_instant', 'order', 'strict'"),
        ("ties => 'order'", "ties => 'order' needs sequence"),
        ("ties => 'strict', models => ['same_touch']", "model 'same_touch' is about the converting row"),
        ("count => 'all'", "argument count must be one of 'touch', 'distinct'"),
        ("cut_at_conversion => 1", "argument cut_at_conversion must be true or false"),
        ("value => floating", "argument value must be a DECIMAL"),
        ("value => event", "argument value must be a DECIMAL"),
        ("conversion => 1", "argument conversion: 1 must be a condition or the name of an event"),
        ("require => [1]", "argument require: 1 must be a condition"),
        ("direct => channel = 'x', models => ['linear']", "argument direct is for model 'last_non_direct'"),
        ("by => max(channel)", "argument by must be computed from single rows"),
        ("chanel => channel", "has no argument chanel"),
    ] {
        for function in ["attribution", "attribution_summary"] {
            let sql = format!("SELECT * FROM {function}({DATA}, {arguments})");
            let found = error(&context(), &sql).await;
            assert!(found.contains(expected), "{arguments}: {found}");
            assert!(found.contains("attribution"), "{arguments}: {found}");
        }
    }
    for (arguments, expected) in [
        ("cost => floating", "argument cost must be a DECIMAL"),
        ("cost => revenue, spend => (SELECT 1)", "arguments cost and spend both"),
        ("spend => (SELECT 1)", "argument spend must have three columns"),
        ("spend => channel", "argument spend must be a query in parentheses"),
        ("spend => (SELECT 'x', 'y', 1)", "its first column must be a timestamp or a date"),
        (
            "spend => (SELECT DATE '2024-01-01', 'y', 1.5::double)",
            "argument spend (its third column) must be a DECIMAL",
        ),
        ("spend_within => INTERVAL '1 day'", "argument spend is missing"),
    ] {
        let found =
            error(&context(), &format!("SELECT * FROM attribution_summary({DATA}, {arguments})")).await;
        assert!(found.contains(expected), "{arguments}: {found}");
    }
    for (arguments, expected) in [
        ("models => ['linear']", "argument conversion_id is missing"),
        ("conversion_id => event", "argument conversion_id must be a constant"),
    ] {
        let found =
            error(&context(), &format!("SELECT * FROM attribution_explain({DATA}, {arguments})")).await;
        assert!(found.contains(expected), "{arguments}: {found}");
    }
}

#[tokio::test]
async fn integers_as_times_need_lengths_in_their_unit() {
    let data = "(SELECT * FROM (VALUES ('u', 1, 'purchase', 'search')) AS t (user_id, ts, event, channel))";
    for (arguments, expected) in [
        ("models => ['linear']", "argument lookback is missing; ts is an integer"),
        ("lookback => INTERVAL '1 day'", "lookback must be an integer in the unit of ts"),
        ("lookback => 5", "argument half_life is missing; ts is an integer"),
        ("lookback => 'session', models => ['linear']", "argument session_gap is missing"),
        (
            "lookback => 5, models => ['linear'], spend => (SELECT DATE '2024-01-01', 'y', 1)",
            "argument spend needs a timestamp or a date as ts",
        ),
    ] {
        let function = if arguments.contains("spend") { "attribution_summary" } else { "attribution" };
        let found = error(&context(), &format!("SELECT * FROM {function}({data}, {arguments})")).await;
        assert!(found.contains(expected), "{arguments}: {found}");
    }
}

#[tokio::test]
async fn attribute_names_its_arguments_too() {
    let from = "FROM (VALUES ('u', TIMESTAMP '2024-05-01T10:00:00', 'search', true, 5, 0.5::double)) \
                AS t (user_id, ts, channel, converts, revenue, floating)";
    for (arguments, expected) in [
        ("'linear', ts, channel", "attribute takes 4 to 11 arguments, got 3"),
        ("'lineal', ts, channel, converts", "argument model must be one of 'first_touch'"),
        ("'custom', ts, channel, converts", "argument model must be one of 'first_touch'"),
        ("'last_non_direct', ts, channel, converts", "leave direct touches out with is_touch"),
        ("channel, ts, channel, converts", "model must be a constant"),
        ("'linear', channel, channel, converts", "ts must be a timestamp"),
        ("'linear', ts, channel, 1", "argument is_conversion must be BOOLEAN"),
        ("'linear', ts, channel, converts, floating", "argument value must be a DECIMAL"),
        ("'linear', ts, channel, converts, lookback => INTERVAL '-1 day'", "lookback must not be negative"),
        (
            "'linear', ts, channel, converts, lookback => 'long'",
            "argument lookback must be an INTERVAL or 'person'",
        ),
        (
            "'time_decay', ts, channel, converts, half_life => INTERVAL '1 month'",
            "argument half_life must be of a fixed",
        ),
        (
            "'linear', ts, channel, converts, ties => 'order'",
            "argument ties must be one of 'same_instant', 'strict'",
        ),
        ("'linear', ts, channel, converts, count => 'all'", "argument count must be one of"),
        ("'linear', ts, channel, converts, is_touch => 'x'", "argument is_touch must be BOOLEAN"),
    ] {
        let sql = format!("SELECT attribute({arguments}) {from}");
        let found = error(&context(), &sql).await;
        assert!(found.contains(expected), "{arguments}: {found}");
    }
}
