//! `retention(cond1, .., condN)`: which conditions a group has seen, given that it has seen the first.
//!
//! Definition: ClickHouse's `retention`, without its limit of 32 conditions, with booleans in place of 0 and 1.
//! A group is a set of n bits: O(rows * n) time, n / 8 bytes of memory for a group, no order and no sort.

mod accumulator;
mod docs;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, Documentation, Expr, GroupsAccumulator, Signature, Volatility, lit,
};

use accumulator::{RetentionGroups, RetentionOne};

use crate::arguments::list_items;

const NAME: &str = "retention";

/// Conditions that can be given by name. By position there is no limit.
const NAMED_CONDITIONS: usize = 32;

/// The `retention` aggregate function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Retention {
    signature: Signature,
}

impl Retention {
    /// Returns the function.
    pub fn new() -> Self {
        let mut signature = Signature::user_defined(Volatility::Immutable);
        signature.parameter_names =
            Some((1..=NAMED_CONDITIONS).map(|condition| format!("cond{condition}")).collect());
        Self { signature }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self::new()
    }
}

fn is_list_of_conditions(data_type: &DataType) -> bool {
    match data_type {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            *item.data_type() == DataType::Boolean
        }
        _ => false,
    }
}

fn coerce(arg_types: &[DataType]) -> Result<Vec<DataType>> {
    match arg_types {
        [] => plan_err!("{NAME} needs at least one condition: write {NAME}(cond1, ..., condN)"),
        [list] if is_list_of_conditions(list) => Ok(vec![list.clone()]),
        conditions => {
            for (index, condition) in conditions.iter().enumerate() {
                if !matches!(condition, DataType::Boolean | DataType::Null) {
                    return plan_err!("{NAME}: condition {} must be a boolean, got {condition}", index + 1);
                }
            }
            Ok(vec![DataType::Boolean; conditions.len()])
        }
    }
}

/// Number of conditions of a call, and nothing else to bind.
fn conditions(args: &AccumulatorArgs) -> Result<usize> {
    match args.expr_fields {
        [only] if *only.data_type() != DataType::Boolean => plan_err!(
            "{NAME}: a list of conditions must be written in the call, as in {NAME}([cond1, cond2]): \
             its length must be known without rows; got {}",
            args.exprs[0]
        ),
        fields => Ok(fields.len()),
    }
}

fn list_type() -> DataType {
    DataType::List(item_field())
}

fn item_field() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Boolean, true))
}

impl AggregateUDFImpl for Retention {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        // Errors from here are wrapped in a list of candidate types; `return_type` reports them plainly.
        Ok(coerce(arg_types).unwrap_or_else(|_| arg_types.to_vec()))
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        coerce(arg_types)?;
        Ok(list_type())
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn default_value(&self, _data_type: &DataType) -> Result<ScalarValue> {
        // Only where a correlated subquery finds no group at all.
        Ok(ScalarValue::List(ScalarValue::new_list(&[], &DataType::Boolean, true)))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format_state_name(args.name, "seen"), list_type(), false))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(RetentionOne::new(conditions(&args)?)))
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(RetentionGroups::new(conditions(&args)?)))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        // Conditions count in any order of time.
        AggregateOrderSensitivity::Insensitive
    }

    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        // `retention([c1, c2])` becomes `retention(c1, c2)`: no list for each row.
        Some(Box::new(|mut call: AggregateFunction, context| {
            if let [list] = call.params.args.as_slice()
                && context.get_data_type(list)?.is_list()
                && let Some(conditions) = list_items(list)
            {
                let mut booleans = Vec::with_capacity(conditions.len());
                for (index, condition) in conditions.into_iter().enumerate() {
                    match context.get_data_type(&condition)? {
                        DataType::Boolean => booleans.push(condition),
                        DataType::Null => booleans.push(lit(ScalarValue::Boolean(None))),
                        other => {
                            return plan_err!(
                                "{NAME}: condition {} must be a boolean, got {other}",
                                index + 1
                            );
                        }
                    }
                }
                if !booleans.is_empty() {
                    call.params.args = booleans;
                }
            }
            Ok(Expr::AggregateFunction(call))
        }))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&docs::RETENTION)
    }
}
