//! Groups whose aggregate is a list, as one row for each element of the lists.

use arrow::datatypes::DataType;
use datafusion::common::{Column, NullHandling, Result, ScalarValue, UnnestOptions};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlanBuilder, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, ident,
};

/// Name of the column that keeps the keys from being taken for unique.
const NOT_ALONE: &str = "__not_alone";

/// Groups `rows` by the named `keys`, gathers each group by `list`, an aggregate under the name `list_name`, and
/// returns the keys beside each element of their list. Groups without elements have no row.
///
/// DataFusion 55 takes keys of an aggregate for unique above an unnest too
/// (<https://github.com/apache/datafusion/pull/24787>), and then drops DISTINCT, GROUP BY and ORDER BY that are
/// needed. So the rows are grouped by one more key, which is the same for all of them, and which is gone again
/// below the unnest: of a part of a key nothing is concluded.
pub(super) fn unnested_groups(
    rows: LogicalPlanBuilder,
    keys: Vec<Expr>,
    list: Expr,
    list_name: &str,
) -> Result<LogicalPlanBuilder> {
    let names: Vec<String> = keys.iter().map(|key| key.qualified_name().1).collect();
    let mut grouped = keys;
    if let Some(key) = grouped.first() {
        let key = key.clone().unalias();
        grouped.push(ScalarUDF::from(NotAlone::new()).call(vec![key]).alias(NOT_ALONE));
    }
    let columns = names.iter().map(String::as_str).chain([list_name]).map(ident);
    let options = UnnestOptions::new().with_null_handling(NullHandling::Drop);
    rows.aggregate(grouped, [list])?
        .project(columns)?
        .unnest_column_with_options(Column::from_name(list_name), options)
}

/// Whether `function` is the key that keeps other keys from being taken for unique: it is the same for every row.
pub fn is_key_guard(function: &ScalarUDF) -> bool {
    function.inner().is::<NotAlone>()
}

/// False for every row. Called volatile, because the optimizer takes out keys that follow from other keys.
#[derive(Debug, PartialEq, Eq, Hash)]
struct NotAlone {
    signature: Signature,
}

impl NotAlone {
    fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Volatile) }
    }
}

impl ScalarUDFImpl for NotAlone {
    fn name(&self) -> &str {
        "not_alone"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(ScalarValue::Boolean(Some(false))))
    }
}
