//! Marks of types ([`crate::wire::types`]) where the engine's planner loses them: `array_agg` of identifiers or names is an
//! array of those, and a `CASE` or `coalesce` whose values are all of one such type has it. And where it keeps them: a cast to text takes
//! them off.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::functions_aggregate::array_agg::array_agg_udaf;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Expr, ExprSchemable, GroupsAccumulator,
    LogicalPlan, ReturnFieldArgs, ReversedUDAF, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::inputs::input_schema;
use crate::wire::encode::pg_type_of;
use crate::wire::types::{OID_ALIAS_KEY, PG_CHAR_KEY, PG_TYPE_KEY};

/// The engine's `array_agg`, whose result has the type of its items.
pub(super) fn array_agg() -> AggregateUDF {
    AggregateUDF::from(ArrayAgg { engine: array_agg_udaf() })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ArrayAgg {
    engine: Arc<AggregateUDF>,
}

impl AggregateUDFImpl for ArrayAgg {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn aliases(&self) -> &[String] {
        self.engine.aliases()
    }

    fn signature(&self) -> &Signature {
        self.engine.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.engine.return_type(arguments)
    }

    fn return_field(&self, arguments: &[FieldRef]) -> Result<FieldRef> {
        let field = self.engine.return_field(arguments)?;
        let Some(item) = arguments.first().filter(|item| is_marked(item.metadata())) else {
            return Ok(field);
        };
        let mark = (PG_TYPE_KEY.to_owned(), format!("_{}", pg_type_of(item).name()));
        Ok(Arc::new(field.as_ref().clone().with_metadata([mark].into())))
    }

    fn is_nullable(&self) -> bool {
        self.engine.is_nullable()
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        self.engine.state_fields(arguments)
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.engine.accumulator(arguments)
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.engine.create_sliding_accumulator(arguments)
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        self.engine.groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(
        &self,
        arguments: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        self.engine.create_groups_accumulator(arguments)
    }

    fn with_beneficial_ordering(
        self: Arc<Self>,
        beneficial: bool,
    ) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        let engine = self.engine.as_ref().clone().with_beneficial_ordering(beneficial)?;
        Ok(engine.map(|engine| Arc::new(Self { engine: Arc::new(engine) }) as Arc<dyn AggregateUDFImpl>))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.engine.order_sensitivity()
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.engine.reverse_udf()
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.engine.supports_null_handling_clause()
    }
}

fn is_marked(metadata: &HashMap<String, String>) -> bool {
    [PG_TYPE_KEY, OID_ALIAS_KEY, PG_CHAR_KEY].iter().any(|key| metadata.contains_key(*key))
}

/// `plan` with the mark of its values on each `CASE` and `coalesce` where they have one in common, and none on casts to text.
///
/// # Errors
/// Those of the planner.
pub(crate) fn kept(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut has_any = false;
    plan.apply_with_subqueries(|node| {
        let schema = input_schema(node);
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                has_any |= mark_of(expr, &schema).is_some();
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    if !has_any {
        return Ok(plan);
    }
    let kept = plan.transform_up_with_subqueries(|node| {
        let schema = input_schema(&node);
        let names = NamePreserver::new(&node);
        let changed = node.map_expressions(|expr| {
            let name = names.save(&expr);
            let expr = expr.transform_up(|expr| {
                let Some(metadata) = mark_of(&expr, &schema) else { return Ok(Transformed::no(expr)) };
                let mark = Mark::new(metadata);
                let call = ScalarFunction::new_udf(Arc::new(ScalarUDF::from(mark)), vec![expr]);
                Ok(Transformed::yes(Expr::ScalarFunction(call)))
            })?;
            Ok(expr.update_data(|expr| name.restore(expr)))
        })?;
        Ok(Transformed::yes(changed.data.recompute_schema()?))
    })?;
    Ok(kept.data)
}

/// The mark that `expr` should have, if the engine gives it another one.
fn mark_of(expr: &Expr, schema: &DFSchema) -> Option<HashMap<String, String>> {
    match expr {
        Expr::Case(case) => {
            let values = case.when_then_expr.iter().map(|(_, value)| value.as_ref());
            common_mark(values.chain(case.else_expr.as_deref()), schema)
        }
        Expr::ScalarFunction(call) if call.func.name() == "coalesce" => common_mark(call.args.iter(), schema),
        Expr::Cast(cast) if cast.field.data_type().is_string() && cast.field.metadata().is_empty() => {
            let (_, operand) = cast.expr.to_field(schema).ok()?;
            (operand.data_type().is_string() && is_marked(operand.metadata())).then(HashMap::new)
        }
        _ => None,
    }
}

/// The mark that all values have, NULLs aside.
fn common_mark<'a>(
    values: impl Iterator<Item = &'a Expr>,
    schema: &DFSchema,
) -> Option<HashMap<String, String>> {
    let mut mark = None;
    for value in values {
        let (_, field) = value.to_field(schema).ok()?;
        if field.data_type().is_null() {
            continue;
        }
        let found = (field.data_type().clone(), field.metadata().clone());
        // A literal of text takes the type of what stands beside it.
        let is_literal = matches!(value, Expr::Literal(..)) && field.data_type().is_string();
        match &mark {
            _ if is_literal => {}
            None => mark = Some(found),
            Some(known) if *known == found => {}
            Some(_) => return None,
        }
    }
    mark.map(|(_, metadata)| metadata).filter(is_marked)
}

/// Gives its argument a mark.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Mark {
    metadata: Vec<(String, String)>,
    signature: Signature,
}

impl Mark {
    fn new(metadata: HashMap<String, String>) -> Self {
        let mut metadata: Vec<(String, String)> = metadata.into_iter().collect();
        metadata.sort();
        Self { metadata, signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Mark {
    fn name(&self) -> &str {
        "pg_mark"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments[0].clone())
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let data_type = arguments.arg_fields[0].data_type().clone();
        let field = Field::new(self.name(), data_type, true);
        Ok(Arc::new(field.with_metadata(self.metadata.iter().cloned().collect())))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(arguments.args[0].clone())
    }
}
