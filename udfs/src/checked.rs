//! Whole numbers that do not wrap round: `9223372036854775807 + 1` is an error, as in PostgreSQL, and not a negative
//! number. DataFusion's own `+`, `-`, `*` and sign wrap; its division does not.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::kernels::numeric::{add, mul, neg, sub};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use crate::interval::rewrite_nodes;

/// `rules`, which are DataFusion's own and perhaps more, with the one of this module behind them: it needs settled types.
///
/// Give them to `SessionStateBuilder::with_analyzer_rules`.
pub fn with_checked_rule(
    mut rules: Vec<Arc<dyn AnalyzerRule + Send + Sync>>,
) -> Vec<Arc<dyn AnalyzerRule + Send + Sync>> {
    rules.push(Arc::new(CheckedIntegers::default()));
    rules
}

/// Puts checked operations in the place of those that wrap. Names of output columns stay.
#[derive(Debug)]
pub struct CheckedIntegers {
    functions: [(Operation, Arc<ScalarUDF>); 4],
}

impl Default for CheckedIntegers {
    fn default() -> Self {
        let operations = [Operation::Add, Operation::Subtract, Operation::Multiply, Operation::Negate];
        Self {
            functions: operations
                .map(|operation| (operation, Arc::new(ScalarUDF::from(Checked::new(operation))))),
        }
    }
}

impl CheckedIntegers {
    fn checked(&self, expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
        let (operation, operands) = match &expr {
            Expr::Negative(of) => (Operation::Negate, vec![of.as_ref()]),
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                let operation = match op {
                    Operator::Plus => Operation::Add,
                    Operator::Minus => Operation::Subtract,
                    Operator::Multiply => Operation::Multiply,
                    _ => return Ok(Transformed::no(expr)),
                };
                (operation, vec![left.as_ref(), right.as_ref()])
            }
            _ => return Ok(Transformed::no(expr)),
        };
        let types: Option<Vec<DataType>> = operands.iter().map(|one| one.get_type(schema).ok()).collect();
        let wraps =
            types.is_some_and(|types| types[0].is_integer() && types.iter().all(|one| *one == types[0]));
        let function = self.functions.iter().find(|(known, _)| *known == operation);
        match function {
            Some((_, function)) if wraps => {
                let operands = operands.into_iter().cloned().collect();
                let call = ScalarFunction::new_udf(Arc::clone(function), operands);
                Ok(Transformed::yes(Expr::ScalarFunction(call)))
            }
            _ => Ok(Transformed::no(expr)),
        }
    }
}

impl AnalyzerRule for CheckedIntegers {
    fn name(&self) -> &str {
        "checked_integers"
    }

    fn analyze(&self, plan: LogicalPlan, _options: &ConfigOptions) -> Result<LogicalPlan> {
        rewrite_nodes(
            plan,
            |expr, schema| expr.transform_up(|expr| self.checked(expr, schema)),
            |plan, _| Ok(Transformed::no(plan)),
        )
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Operation {
    Add,
    Subtract,
    Multiply,
    Negate,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    operation: Operation,
    signature: Signature,
}

impl Checked {
    fn new(operation: Operation) -> Self {
        let operands = if operation == Operation::Negate { 1 } else { 2 };
        Self { operation, signature: Signature::any(operands, Volatility::Immutable) }
    }

    fn result(&self, arguments: &[ColumnarValue]) -> Result<ArrayRef, ArrowError> {
        let operation = match (self.operation, arguments) {
            (Operation::Negate, [ColumnarValue::Array(of)]) => return neg(of),
            (Operation::Negate, [ColumnarValue::Scalar(of)]) => return neg(&of.to_array()?),
            (Operation::Add, _) => add,
            (Operation::Subtract, _) => sub,
            _ => mul,
        };
        match arguments {
            [ColumnarValue::Scalar(left), ColumnarValue::Scalar(right)] => {
                operation(&left.to_scalar()?, &right.to_scalar()?)
            }
            [ColumnarValue::Scalar(left), ColumnarValue::Array(right)] => {
                operation(&left.to_scalar()?, right)
            }
            [ColumnarValue::Array(left), ColumnarValue::Scalar(right)] => {
                operation(left, &right.to_scalar()?)
            }
            [ColumnarValue::Array(left), ColumnarValue::Array(right)] => operation(left, right),
            _ => Err(ArrowError::InvalidArgumentError(format!("{} operands", arguments.len()))),
        }
    }
}

/// What the error of PostgreSQL's calls the type.
fn name_of(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Int8 | DataType::Int16 => "smallint",
        DataType::Int32 => "integer",
        _ => "bigint",
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.operation {
            Operation::Add => "checked_add",
            Operation::Subtract => "checked_subtract",
            Operation::Multiply => "checked_multiply",
            Operation::Negate => "checked_negate",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments[0].clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let array = self.result(&arguments.args).map_err(|error| match error {
            ArrowError::ArithmeticOverflow(_) => {
                let name = name_of(&arguments.args[0].data_type());
                ArrowError::ArithmeticOverflow(format!("{name} out of range"))
            }
            other => other,
        })?;
        let is_scalar = arguments.args.iter().all(|one| matches!(one, ColumnarValue::Scalar(_)));
        if is_scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?));
        }
        Ok(ColumnarValue::Array(array))
    }
}
