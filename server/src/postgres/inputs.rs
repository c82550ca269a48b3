//! What the expressions of a plan's node are about.

use std::sync::Arc;

use datafusion::common::{DFSchema, DFSchemaRef};
use datafusion::logical_expr::LogicalPlan;

/// The columns that expressions of `node` see.
pub(crate) fn input_schema(node: &LogicalPlan) -> DFSchemaRef {
    match node.inputs().as_slice() {
        [] => Arc::clone(node.schema()),
        [one] => Arc::clone(one.schema()),
        [first, rest @ ..] => {
            let mut schema: DFSchema = first.schema().as_ref().clone();
            for input in rest {
                schema.merge(input.schema());
            }
            Arc::new(schema)
        }
    }
}
