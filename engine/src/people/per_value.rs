//! Expressions over codes: evaluated once for each value of a dictionary, not once for each row.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, Int32Array, RecordBatch};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::compute::{cast, concat, take};
use arrow::datatypes::{DataType, Field, FieldRef, Int32Type, Schema, SchemaRef};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr_common::physical_expr::is_volatile;

use super::bits::bits_of;
use super::columns::Columns;

/// Values of a byte.
const BYTE_VALUES: usize = 256;

/// `expr`, which is over the SQL types of `columns`, as an expression over the batches that are delivered.
///
/// The largest parts of it that look at one coded column only are evaluated for each value of the dictionary.
pub fn over_codes(expr: Arc<dyn PhysicalExpr>, columns: &Columns) -> Result<Arc<dyn PhysicalExpr>> {
    expr.transform_down(|part| {
        if is_volatile(&part) {
            return Ok(Transformed::no(part));
        }
        match columns_of(&part)?.as_slice() {
            [only] if columns.is_coded(*only) => {
                let per_value = PerValue::try_new(part, *only, columns)?;
                Ok(Transformed::new(Arc::new(per_value) as _, true, TreeNodeRecursion::Jump))
            }
            _ => Ok(Transformed::no(part)),
        }
    })
    .data()
}

/// Numbers of the columns that `expr` looks at.
pub fn columns_of(expr: &Arc<dyn PhysicalExpr>) -> Result<Vec<usize>> {
    let mut found = Vec::new();
    expr.apply(|part| {
        if let Some(column) = part.downcast_ref::<Column>() {
            found.push(column.index());
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// `expr` with other numbers for its columns.
pub fn renumbered(
    expr: Arc<dyn PhysicalExpr>,
    number: impl Fn(usize) -> Option<usize>,
) -> Result<Arc<dyn PhysicalExpr>> {
    expr.transform_up(|part| {
        let Some(column) = part.downcast_ref::<Column>() else {
            return Ok(Transformed::no(part));
        };
        match number(column.index()) {
            Some(index) => Ok(Transformed::yes(Arc::new(Column::new(column.name(), index)) as _)),
            None => internal_err!("column {} is not read", column.name()),
        }
    })
    .data()
}

/// The boolean that `expr` gives for each row of `batch`, as codes into a dictionary; `None` if it cannot be told so.
///
/// # Errors
/// If the column has not the type that was promised.
pub fn coded_condition(expr: &Arc<dyn PhysicalExpr>, batch: &RecordBatch) -> Result<Option<ArrayRef>> {
    let Some(per_value) = expr.downcast_ref::<PerValue>() else { return Ok(None) };
    let codes = per_value.codes(batch)?;
    let Some(results) = per_value.of_codes(&codes) else { return Ok(None) };
    let Some(booleans) = results.as_boolean_opt() else { return Ok(None) };
    let null = booleans.len() - 1;
    // A row without a code has no result.
    let has_other_result = codes.keys().null_count() > 0 && booleans.is_valid(null) && booleans.value(null);
    Ok((!has_other_result).then(|| Arc::new(codes.with_values(results)) as _))
}

/// An expression that looks at one coded column.
#[derive(Debug, Clone)]
struct PerValue {
    /// The expression, over a batch that has only the values.
    expr: Arc<dyn PhysicalExpr>,
    /// The coded column: a child, for those who look at which columns an expression needs.
    column: Arc<dyn PhysicalExpr>,
    values: SchemaRef,
    field: FieldRef,
}

impl PerValue {
    fn try_new(expr: Arc<dyn PhysicalExpr>, column: usize, columns: &Columns) -> Result<Self> {
        let sql = columns.sql().field(column);
        let coded = Arc::new(Column::new(sql.name(), column));
        // NULL stands behind the values.
        let values = Arc::new(Schema::new(vec![Field::new(sql.name(), sql.data_type().clone(), true)]));
        let field = expr.return_field(columns.sql())?;
        let expr = renumbered(expr, |_| Some(0))?;
        Ok(Self { expr, column: coded, values, field })
    }

    fn of_values(&self, values: &ArrayRef) -> Result<ArrayRef> {
        let values = cast(values, self.values.field(0).data_type())?;
        let rows = values.len();
        let batch = RecordBatch::try_new(Arc::clone(&self.values), vec![values])?;
        self.expr.evaluate(&batch)?.into_array(rows)
    }

    /// The coded column of `batch`.
    fn codes(&self, batch: &RecordBatch) -> Result<DictionaryArray<Int32Type>> {
        let column = self.column.evaluate(batch)?.into_array(batch.num_rows())?;
        match column.as_dictionary_opt::<Int32Type>() {
            Some(codes) => Ok(codes.clone()),
            None => internal_err!("column {} does not come as codes", self.column),
        }
    }

    /// The results of [`Self::of_dictionary`]; `None` too if there are more values than rows: the rows are fewer.
    fn of_codes(&self, codes: &DictionaryArray<Int32Type>) -> Option<ArrayRef> {
        if codes.values().len() > codes.len() { None } else { self.of_dictionary(codes) }
    }

    /// One result for each value, and one for NULL at last; `None` if a value that no row has may be to blame for an
    /// error.
    fn of_dictionary(&self, codes: &DictionaryArray<Int32Type>) -> Option<ArrayRef> {
        let values = codes.values();
        let null = arrow::array::new_null_array(values.data_type(), 1);
        self.of_values(&concat(&[values.as_ref(), null.as_ref()]).ok()?).ok()
    }
}

impl PhysicalExpr for PerValue {
    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let codes = self.codes(batch)?;
        let keys = codes.keys();
        let Some(results) = self.of_codes(&codes) else {
            let decoded = take(codes.values(), keys, None)?;
            return self.of_values(&decoded).map(ColumnarValue::Array);
        };
        let null = results.len() - 1;
        if let Some(booleans) = results.as_boolean_opt() {
            return Ok(ColumnarValue::Array(Arc::new(booleans_of(booleans, keys))));
        }
        let wanted = match keys.nulls() {
            None => keys.clone(),
            Some(nulls) => {
                let place = |row| if nulls.is_valid(row) { keys.value(row) } else { null as i32 };
                Int32Array::from_iter_values((0..keys.len()).map(place))
            }
        };
        Ok(ColumnarValue::Array(take(&results, &wanted, None)?))
    }

    fn return_field(&self, _: &Schema) -> Result<FieldRef> {
        Ok(Arc::clone(&self.field))
    }

    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(self.field.data_type().clone())
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(self.field.is_nullable())
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.column]
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        match children.as_slice() {
            [column] => Ok(Arc::new(Self { column: Arc::clone(column), ..self.as_ref().clone() })),
            _ => internal_err!("an expression over one column got {} columns", children.len()),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt_sql(f)
    }
}

/// The result of each row; `results` has one for each code and at last one for NULL.
fn booleans_of(results: &BooleanArray, keys: &Int32Array) -> BooleanArray {
    let null = results.len() - 1;
    let of_codes = |bits: &BooleanBuffer| {
        let of_keys = if bits.len() <= BYTE_VALUES {
            let mut table = [false; BYTE_VALUES];
            table.iter_mut().zip(bits).for_each(|(value, bit)| *value = bit);
            bits_of(keys.values(), |key| table[usize::from(key as u8)])
        } else {
            // Codes are not negative, but the key of a row without a value may be any.
            let table: Vec<bool> = bits.iter().collect();
            bits_of(keys.values(), |key| table.get(key as usize).copied().unwrap_or(false))
        };
        match keys.nulls() {
            Some(nulls) if bits.value(null) => &of_keys | &!nulls.inner(),
            Some(nulls) => &of_keys & nulls.inner(),
            None => of_keys,
        }
    };
    let values = of_codes(results.values());
    // Mostly only NULL itself gives NULL, and no row has it.
    let some_row_may_be_null =
        |nulls: &&NullBuffer| keys.null_count() > 0 || nulls.slice(0, null).null_count() > 0;
    let nulls =
        results.nulls().filter(some_row_may_be_null).map(|nulls| NullBuffer::new(of_codes(nulls.inner())));
    BooleanArray::new(values, nulls)
}

impl fmt::Display for PerValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expr.fmt(f)
    }
}

impl PartialEq for PerValue {
    fn eq(&self, other: &Self) -> bool {
        self.column.eq(&other.column) && self.expr.eq(&other.expr)
    }
}

impl Eq for PerValue {}

impl Hash for PerValue {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.column.hash(state);
        self.expr.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        // As many results as a byte has values, one less, and one more.
        #[test]
        fn each_row_has_the_result_of_its_value(
            some in prop::collection::vec(any::<Option<bool>>(), 1..8),
            count in prop_oneof![1_usize..8, 255_usize..258],
            rows in prop::collection::vec(prop::option::of(0_usize..300), 0..150),
            of_null in any::<Option<bool>>(),
        ) {
            let mut results: Vec<Option<bool>> = some.iter().copied().cycle().take(count).collect();
            let keys: Int32Array = rows.iter().map(|row| row.map(|row| row.min(count - 1) as i32)).collect();
            let wanted: BooleanArray =
                keys.iter().map(|key| key.map_or(of_null, |key| results[key as usize])).collect();
            results.push(of_null);
            let found = booleans_of(&BooleanArray::from(results), &keys);
            prop_assert_eq!(found.iter().collect::<Vec<_>>(), wanted.iter().collect::<Vec<_>>());
        }
    }
}
