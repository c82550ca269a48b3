//! Keeps DataFusion from taking a key for unique above an unnest.
//!
//! DataFusion 55 carries the keys of an unnest's input over to its output
//! (<https://github.com/apache/datafusion/pull/24787>), although a row becomes many: in
//! `SELECT DISTINCT u FROM (SELECT u, unnest(array_agg(x)) FROM t GROUP BY u)` the DISTINCT is left out, and so are
//! GROUP BY and ORDER BY of further columns. The rule hides one column of each key below the unnest behind a function
//! of which nothing is concluded.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, Projection, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Unnest, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

/// `rules` with the one of this module in front. Give them to `SessionStateBuilder::with_analyzer_rules`.
pub fn with_unnest_rule(
    mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>>,
) -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    rules.insert(0, Arc::new(UnnestKeys));
    rules
}

/// The rule.
#[derive(Debug, Default, Clone, Copy)]
pub struct UnnestKeys;

impl AnalyzerRule for UnnestKeys {
    fn name(&self) -> &str {
        "unnest_keys"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        let hidden = plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Unnest(unnest) => without_keys(unnest),
            other => Ok(Transformed::no(other)),
        })?;
        if !hidden.transformed {
            return Ok(hidden.data);
        }
        // What stands above has the keys still.
        let fresh = |plan: LogicalPlan| plan.recompute_schema().map(Transformed::yes);
        Ok(hidden.data.transform_up_with_subqueries(fresh)?.data)
    }
}

fn without_keys(unnest: Unnest) -> Result<Transformed<LogicalPlan>> {
    let schema = unnest.input.schema();
    let mut hidden: Vec<usize> = Vec::new();
    for key in schema.functional_dependencies().iter() {
        hidden.extend(key.source_indices.first());
    }
    if hidden.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Unnest(unnest)));
    }
    let columns = schema.iter().enumerate().map(|(index, (qualifier, field))| {
        let column = Expr::Column(Column::from((qualifier, field)));
        if hidden.contains(&index) {
            let same = ScalarUDF::from(Unknown::new()).call(vec![column]);
            same.alias_qualified(qualifier.cloned(), field.name())
        } else {
            column
        }
    });
    let input = Projection::try_new(columns.collect(), Arc::clone(&unnest.input))?;
    let unnest = LogicalPlan::Unnest(unnest);
    let exprs = unnest.expressions();
    Ok(Transformed::yes(unnest.with_new_exprs(exprs, vec![LogicalPlan::Projection(input)])?))
}

/// Its argument, of which the optimizer knows nothing.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Unknown {
    signature: Signature,
}

impl Unknown {
    fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Volatile) }
    }
}

impl ScalarUDFImpl for Unknown {
    fn name(&self) -> &str {
        "unknown_key"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        internal_err!("the type of unknown_key is that of its argument")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        match args.arg_fields {
            [field] => Ok(Arc::clone(field)),
            fields => internal_err!("unknown_key has one argument, got {}", fields.len()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.into_iter().next() {
            Some(value) => Ok(value),
            None => internal_err!("unknown_key has one argument"),
        }
    }
}
