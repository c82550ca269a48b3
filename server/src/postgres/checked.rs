//! Whole numbers that do not wrap round: `9223372036854775807 + 1` is an error, as in PostgreSQL, and not a negative
//! number. The engine's own `+`, `-` and `*` wrap.

use std::sync::Arc;

use arrow::compute::kernels::numeric::{add, mul, sub};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, DFSchemaRef, DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use crate::error::{SqlError, sqlstate};

/// Puts checked operations in the place of those that wrap.
#[derive(Debug)]
pub(crate) struct CheckedIntegers {
    functions: [(Operator, Arc<ScalarUDF>); 3],
}

impl CheckedIntegers {
    pub(crate) fn new() -> Self {
        let function = |operator| (operator, Arc::new(ScalarUDF::from(Checked::new(operator))));
        Self { functions: [Operator::Plus, Operator::Minus, Operator::Multiply].map(function) }
    }

    fn checked(&self, expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        let Expr::BinaryExpr(BinaryExpr { left, op, right }) = &expr else {
            return Ok(Transformed::no(expr));
        };
        let Some((_, function)) = self.functions.iter().find(|(operator, _)| operator == op) else {
            return Ok(Transformed::no(expr));
        };
        let (Ok(left_type), Ok(right_type)) = (left.get_type(schema), right.get_type(schema)) else {
            return Ok(Transformed::no(expr));
        };
        if left_type != right_type || !left_type.is_integer() {
            return Ok(Transformed::no(expr));
        }
        let arguments = vec![left.as_ref().clone(), right.as_ref().clone()];
        Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(function), arguments))))
    }
}

impl AnalyzerRule for CheckedIntegers {
    fn name(&self) -> &str {
        "checked_integers"
    }

    fn analyze(&self, plan: LogicalPlan, _options: &ConfigOptions) -> Result<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|node| {
            let schema = input_schema(&node);
            let names = NamePreserver::new(&node);
            node.map_expressions(|expr| {
                let name = names.save(&expr);
                let expr = expr.transform_up(|expr| self.checked(expr, &schema))?;
                Ok(expr.update_data(|expr| name.restore(expr)))
            })
        })?;
        Ok(rewritten.data)
    }
}

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

#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    operator: Operator,
    signature: Signature,
}

impl Checked {
    fn new(operator: Operator) -> Self {
        Self { operator, signature: Signature::any(2, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.operator {
            Operator::Plus => "checked_add",
            Operator::Minus => "checked_subtract",
            _ => "checked_multiply",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments[0].clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (left, right) = (&arguments.args[0], &arguments.args[1]);
        let data_type = left.data_type();
        let out_of_range = |error: ArrowError| -> DataFusionError {
            match error {
                ArrowError::ArithmeticOverflow(_) => {
                    let name = match data_type {
                        DataType::Int8 | DataType::Int16 => "smallint",
                        DataType::Int32 => "integer",
                        _ => "bigint",
                    };
                    SqlError::new(sqlstate::NUMERIC_VALUE_OUT_OF_RANGE, format!("{name} out of range")).into()
                }
                other => other.into(),
            }
        };
        let operation = match self.operator {
            Operator::Plus => add,
            Operator::Minus => sub,
            _ => mul,
        };
        let both_scalars = matches!((left, right), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)));
        let result = match (left, right) {
            (ColumnarValue::Scalar(left), ColumnarValue::Scalar(right)) => {
                operation(&left.to_scalar()?, &right.to_scalar()?)
            }
            (ColumnarValue::Scalar(left), ColumnarValue::Array(right)) => {
                operation(&left.to_scalar()?, right)
            }
            (ColumnarValue::Array(left), ColumnarValue::Scalar(right)) => {
                operation(left, &right.to_scalar()?)
            }
            (ColumnarValue::Array(left), ColumnarValue::Array(right)) => operation(left, right),
        };
        let array = result.map_err(out_of_range)?;
        if both_scalars {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }
}
