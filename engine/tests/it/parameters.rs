//! Parameters inside the arguments of table functions, as a library binds them.

use arrow::datatypes::IntervalMonthDayNano;
use datafusion::common::{ParamValues, ScalarValue};
use futures::TryStreamExt;
use wayfare_engine::Session;

use crate::support::{load, memory_engine, session};
use crate::{pg_text, slt_files};

async fn bound(session: &Session, sql: &str, values: Vec<ScalarValue>) -> Vec<Vec<String>> {
    let statement = session.parse(sql).unwrap().pop().unwrap();
    let plan = session.plan(statement).await.unwrap();
    let plan = plan.with_param_values(ParamValues::from(values)).unwrap();
    let batches: Vec<_> = session.execute(plan).await.unwrap().try_collect().await.unwrap();
    pg_text::rows(&batches)
}

fn minutes(minutes: i64) -> ScalarValue {
    ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano::new(0, 0, minutes * 60_000_000_000)))
}

#[tokio::test]
async fn table_functions_take_parameters() {
    let engine = memory_engine().await;
    load(&engine, &[slt_files::touchpoints()]).await;
    let session = session(&engine);
    let sql = "SELECT count(*) FROM sessions(TABLE touchpoints, gap => $1, conversion => event = $2) \
               WHERE user_id = $3 AND conversions >= $4";
    for (gap, least, expected) in [(30, 0, "4"), (30, 1, "1"), (12 * 60, 0, "3"), (100_000, 1, "1")] {
        let values = vec![minutes(gap), "purchase".into(), "ben".into(), ScalarValue::Int64(Some(least))];
        assert_eq!(bound(&session, sql, values).await, [[expected]], "{gap} {least}");
    }
    let sql = "SELECT count(*) FROM sessions((SELECT * FROM touchpoints WHERE user_id = $1), gap => INTERVAL '30 minutes')";
    assert_eq!(bound(&session, sql, vec!["ana".into()]).await, [["2"]]);
}
