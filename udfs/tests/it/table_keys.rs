//! What is unnested is not taken for unique by its keys: nothing that is asked for is left out.

use crate::sql::{context, numbers};

/// ann: sessions of 2, 1 and 3 rows; ben: one session.
const VISITS: &str = "(SELECT * FROM (VALUES \
    (1, TIMESTAMP '2024-05-01T10:00:00', 'view', 1), (1, TIMESTAMP '2024-05-01T10:01:00', 'pay', 2), \
    (1, TIMESTAMP '2024-05-02T10:00:00', 'view', 2), \
    (1, TIMESTAMP '2024-05-03T10:00:00', 'view', 1), (1, TIMESTAMP '2024-05-03T10:02:00', 'pay', 1), \
    (1, TIMESTAMP '2024-05-03T10:03:00', 'view', 1), \
    (2, TIMESTAMP '2024-05-01T10:00:00', 'view', 2)) AS t (user_id, ts, event, channel))";

async fn rows(sql: &str) -> Vec<Vec<i64>> {
    let rows = numbers(&context(), &sql.replace("VISITS", VISITS)).await;
    rows.into_iter().map(|row| row.into_iter().map(|cell| cell.unwrap_or(-1)).collect()).collect()
}

#[tokio::test]
async fn sessions_of_a_person_are_many() {
    assert_eq!(rows("SELECT DISTINCT user_id FROM sessions(VISITS) ORDER BY 1").await, [[1], [2]]);
    assert_eq!(
        rows("SELECT DISTINCT user_id, events FROM sessions(VISITS) ORDER BY 1, 2").await,
        [[1, 1], [1, 2], [1, 3], [2, 1]]
    );
    assert_eq!(
        rows("SELECT user_id, events, count(*) FROM sessions(VISITS) GROUP BY 1, 2 ORDER BY 1, 2 DESC").await,
        [[1, 3, 1], [1, 2, 1], [1, 1, 1], [2, 1, 1]]
    );
    assert_eq!(
        rows("SELECT user_id, session_number FROM sessions(VISITS) ORDER BY user_id, session_number DESC")
            .await,
        [[1, 3], [1, 2], [1, 1], [2, 1]]
    );
}

#[tokio::test]
async fn a_condition_on_the_person_reaches_the_data() {
    let sql = "EXPLAIN SELECT count(*) FROM sessions(VISITS) WHERE user_id = 1".replace("VISITS", VISITS);
    let frame = crate::sql::plan(&context(), &sql).await.unwrap();
    let plan = frame.to_string().await.unwrap();
    let aggregate = plan.find("AggregateExec").unwrap();
    let filter = plan.rfind("FilterExec: ").unwrap();
    assert!(plan[filter..].contains("column1@0 = 1"), "{plan}");
    assert!(filter > aggregate, "{plan}");
}

#[tokio::test]
async fn steps_of_a_group_are_many() {
    let funnel = "funnel(VISITS, steps => ['view', 'pay'], by => channel, by_value => 'step 1')";
    assert_eq!(
        rows(&format!("SELECT by, step, persons FROM {funnel} ORDER BY by, step DESC")).await,
        [[1, 2, 1], [1, 1, 1], [2, 2, 1], [2, 1, 2]]
    );
    assert_eq!(
        rows(&format!("SELECT by, step, count(*) FROM {funnel} GROUP BY by, step ORDER BY 1, 2")).await,
        [[1, 1, 1], [1, 2, 1], [2, 1, 1], [2, 2, 1]]
    );
    assert_eq!(rows(&format!("SELECT DISTINCT by FROM {funnel} ORDER BY 1")).await, [[1], [2]]);
    let persons =
        "funnel_persons(VISITS, steps => ['view', 'pay'], count => 'totals', within => INTERVAL '1 hour')";
    assert_eq!(
        rows(&format!("SELECT user_id, step, count(*) FROM {persons} GROUP BY 1, 2 ORDER BY 1, 2")).await,
        [[1, 1, 2], [1, 2, 2], [2, 1, 1]]
    );
    assert_eq!(rows(&format!("SELECT DISTINCT user_id FROM {persons} ORDER BY 1")).await, [[1], [2]]);
}

#[tokio::test]
async fn elements_of_a_list_are_many() {
    let lists = "(SELECT u, unnest(array_agg(x)) AS x FROM (VALUES (1, 7), (1, 8), (1, 7), (2, 9)) AS t (u, x) GROUP BY u)";
    assert_eq!(rows(&format!("SELECT DISTINCT u FROM {lists} ORDER BY 1")).await, [[1], [2]]);
    assert_eq!(rows(&format!("SELECT count(*) FROM (SELECT DISTINCT u, x FROM {lists})")).await, [[3]]);
    assert_eq!(
        rows(&format!("SELECT u, x, count(*) FROM {lists} GROUP BY u, x ORDER BY u, x DESC")).await,
        [[1, 8, 1], [1, 7, 2], [2, 9, 1]]
    );
    assert_eq!(
        rows(&format!("SELECT u, x FROM {lists} WHERE u = 1 ORDER BY u, x DESC")).await,
        [[1, 8], [1, 7], [1, 7]]
    );
}
