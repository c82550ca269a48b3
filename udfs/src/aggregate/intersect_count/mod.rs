//! `intersect_count(person, dim, value1, .., valueN)`: how many people have every one of some values.
//!
//! Definition: `intersect_count` of Apache Doris and StarRocks, over any type of person in place of a bitmap.
//! State: each distinct person who has one of the values, once, with a bit for each value. O(rows * n) time.

mod accumulator;
mod docs;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::type_coercion::binary::comparison_coercion;
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Documentation, Signature, Volatility};

use accumulator::IntersectAccumulator;

const NAME: &str = "intersect_count";

/// Values that can be given by name. By position there is no limit.
const NAMED_VALUES: usize = 32;

/// The `intersect_count` aggregate function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct IntersectCount {
    signature: Signature,
}

impl IntersectCount {
    /// Returns the function.
    pub fn new() -> Self {
        let mut names: Vec<String> = ["person", "dim"].map(str::to_owned).to_vec();
        names.extend((1..=NAMED_VALUES).map(|value| format!("value{value}")));
        let mut signature = Signature::user_defined(Volatility::Immutable);
        signature.parameter_names = Some(names);
        Self { signature }
    }
}

impl Default for IntersectCount {
    fn default() -> Self {
        Self::new()
    }
}

/// `dim` and the values become one type, in which they can be compared.
fn coerce(arg_types: &[DataType]) -> Result<Vec<DataType>> {
    let [person, dim, values @ ..] = arg_types else {
        return plan_err!(
            "{NAME} needs a person and a dimension: write {NAME}(person, dim, value1, ..., valueN)"
        );
    };
    if values.is_empty() {
        return plan_err!("{NAME} needs at least one value: write {NAME}(person, dim, value1, ..., valueN)");
    }
    let mut common = dim.clone();
    for (index, value) in values.iter().enumerate() {
        common = match comparison_coercion(&common, value) {
            Some(common) => common,
            None => {
                return plan_err!(
                    "{NAME}: value {} must be comparable with dim, got {value} and {dim}",
                    index + 1
                );
            }
        };
    }
    if common.is_nested() {
        return plan_err!("{NAME}: dim must be a plain value, got {dim}");
    }
    let mut coerced = vec![person.clone()];
    coerced.extend(std::iter::repeat_n(common, values.len() + 1));
    Ok(coerced)
}

fn list(item: &DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item.clone(), true)))
}

impl AggregateUDFImpl for IntersectCount {
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
        Ok(DataType::Int64)
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn default_value(&self, _data_type: &DataType) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(Some(0)))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let person = args.input_fields[0].data_type();
        let parts = [("people", list(person)), ("values", list(&DataType::UInt64))];
        let field =
            |(part, data_type)| Arc::new(Field::new(format_state_name(args.name, part), data_type, true));
        Ok(parts.map(field).to_vec())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let person = args.expr_fields[0].data_type();
        Ok(Box::new(IntersectAccumulator::try_new(person.clone(), args.exprs.len() - 2)?))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        // A set of people has no order.
        AggregateOrderSensitivity::Insensitive
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&docs::INTERSECT_COUNT)
    }
}
