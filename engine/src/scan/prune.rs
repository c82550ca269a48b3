//! Leaving out files and row groups by what the log says about them.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Int64Array, UInt64Array};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, col, lit};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};

use crate::schema;
use crate::store::layout::RowGroup;
use crate::store::snapshot::DataFile;

/// The hashes of the people that `filters` restrict to, sorted, or `None` if they do not.
///
/// `user_id = 'x'` and `user_id IN ('x', 'y')` give hashes; other filters give nothing.
pub fn user_keys(filters: &[Expr]) -> Option<Vec<i64>> {
    let keys_of = |users: Vec<String>| {
        let mut keys: Vec<i64> = users.iter().map(|user| schema::user_key(user)).collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    };
    let both = |mut left: Vec<i64>, right: Vec<i64>| {
        left.retain(|key| right.binary_search(key).is_ok());
        left
    };
    filters.iter().filter_map(users_of).map(keys_of).reduce(both)
}

/// `user_key` is one of `keys`.
pub fn key_filter(keys: &[i64]) -> Expr {
    col(schema::USER_KEY).in_list(keys.iter().map(|key| lit(*key)).collect(), false)
}

/// The users that `filter` restricts to.
fn users_of(filter: &Expr) -> Option<Vec<String>> {
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::Eq => match (left.as_ref(), right.as_ref()) {
                (column, value) if is_user_id(column) => Some(vec![text_of(value)?]),
                (value, column) if is_user_id(column) => Some(vec![text_of(value)?]),
                _ => None,
            },
            Operator::And => users_of(left).or_else(|| users_of(right)),
            Operator::Or => {
                let mut users = users_of(left)?;
                users.extend(users_of(right)?);
                Some(users)
            }
            _ => None,
        },
        Expr::InList(list) if !list.negated && is_user_id(&list.expr) => {
            list.list.iter().map(text_of).collect()
        }
        _ => None,
    }
}

fn is_user_id(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(Column { name, .. }) if name == schema::USER_ID)
}

fn text_of(expr: &Expr) -> Option<String> {
    let Expr::Literal(value, _) = expr else { return None };
    value.try_as_str().flatten().map(str::to_owned)
}

/// What the log says against reading, for one condition. Made once for all files: making it takes longer than asking it.
#[derive(Debug)]
pub struct Pruning<'a> {
    predicate: PruningPredicate,
    schema: &'a SchemaRef,
}

impl<'a> Pruning<'a> {
    /// For the rows of `predicate`, over columns of `schema`.
    ///
    /// # Errors
    /// Those of the predicate.
    pub fn new(predicate: &Arc<dyn PhysicalExpr>, schema: &'a SchemaRef) -> Result<Self> {
        let builder = PruningPredicateBuilder::new().with_file_schema(Arc::clone(schema));
        Ok(Self { predicate: builder.try_build(Arc::clone(predicate))?, schema })
    }

    /// The files that may hold rows, each with its place among those given.
    ///
    /// # Errors
    /// Those of the predicate.
    pub fn files<'f>(&self, files: &'f [DataFile]) -> Result<Vec<(usize, &'f DataFile)>> {
        let all = files.iter().enumerate();
        if self.predicate.always_true() {
            return Ok(all.collect());
        }
        let keep = self.predicate.prune(&FileRanges { files, schema: self.schema })?;
        Ok(all.zip(keep).filter_map(|(file, keep)| keep.then_some(file)).collect())
    }

    /// Which row groups of each of `files` may hold rows, by their ranges of `user_key`; none where the log tells no row
    /// groups.
    ///
    /// # Errors
    /// Those of the predicate.
    pub fn row_groups<'f>(
        &self,
        files: impl ExactSizeIterator<Item = &'f DataFile> + Clone,
    ) -> Result<Vec<Vec<bool>>> {
        let row_groups: Vec<RowGroup> =
            files.clone().filter_map(|file| file.row_groups.as_deref()).flatten().copied().collect();
        if row_groups.is_empty() {
            return Ok(vec![Vec::new(); files.len()]);
        }
        let mut keep = self.predicate.prune(&RowGroupRanges { row_groups: &row_groups })?.into_iter();
        let counts = files.map(|file| file.row_groups.as_ref().map_or(0, Vec::len));
        Ok(counts.map(|count| keep.by_ref().take(count).collect()).collect())
    }
}

struct FileRanges<'a> {
    files: &'a [DataFile],
    schema: &'a SchemaRef,
}

impl FileRanges<'_> {
    fn values(
        &self,
        column: &Column,
        value: impl Fn(&DataFile, &DataType) -> Option<ScalarValue>,
    ) -> Option<ArrayRef> {
        let data_type = self.schema.field_with_name(&column.name).ok()?.data_type();
        let null = ScalarValue::try_from(data_type).ok()?;
        let values = self.files.iter().map(|file| value(file, data_type).unwrap_or_else(|| null.clone()));
        ScalarValue::iter_to_array(values).ok()
    }
}

/// The smallest (or largest) value of a column in a file; the day of a file is both.
fn bound(file: &DataFile, column: &str, data_type: &DataType, largest: bool) -> Option<ScalarValue> {
    if column == schema::DAY {
        return file.day.map(|day| ScalarValue::Date32(Some(day)));
    }
    if largest { file.statistics.max(column, data_type) } else { file.statistics.min(column, data_type) }
}

impl PruningStatistics for FileRanges<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |file, data_type| bound(file, &column.name, data_type, false))
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |file, data_type| bound(file, &column.name, data_type, true))
    }

    fn num_containers(&self) -> usize {
        self.files.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let counts: UInt64Array =
            self.files.iter().map(|file| file.statistics.null_count.get(&column.name).copied()).collect();
        Some(Arc::new(counts))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let counts: UInt64Array = self.files.iter().map(|file| file.statistics.num_records).collect();
        Some(Arc::new(counts))
    }

    fn contained(&self, _: &Column, _: &std::collections::HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

struct RowGroupRanges<'a> {
    row_groups: &'a [RowGroup],
}

impl RowGroupRanges<'_> {
    fn keys(&self, column: &Column, key: impl Fn(&RowGroup) -> i64) -> Option<ArrayRef> {
        (column.name == schema::USER_KEY)
            .then(|| Arc::new(Int64Array::from_iter_values(self.row_groups.iter().map(key))) as ArrayRef)
    }
}

impl PruningStatistics for RowGroupRanges<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.keys(column, |group| group.min_key)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.keys(column, |group| group.max_key)
    }

    fn num_containers(&self) -> usize {
        self.row_groups.len()
    }

    fn null_counts(&self, _: &Column) -> Option<ArrayRef> {
        None
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(UInt64Array::from_iter_values(self.row_groups.iter().map(|g| g.rows))))
    }

    fn contained(&self, _: &Column, _: &std::collections::HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_on_a_person_become_filters_on_the_key() {
        let keys = |users: &[&str]| {
            let mut keys: Vec<i64> = users.iter().map(|user| schema::user_key(user)).collect();
            keys.sort_unstable();
            Some(keys)
        };
        let is = |user: &str| col("user_id").eq(lit(user.to_owned()));
        assert_eq!(user_keys(&[is("u1")]), keys(&["u1"]));
        let one_of_two = lit("u1").eq(col("user_id")).or(col("user_id").in_list(vec![lit("u2")], false));
        assert_eq!(user_keys(std::slice::from_ref(&one_of_two)), keys(&["u1", "u2"]));
        assert_eq!(user_keys(&[one_of_two, is("u2")]), keys(&["u2"]));
        assert_eq!(user_keys(&[is("u1"), is("u2")]), keys(&[]));
        assert_eq!(user_keys(&[is("u1").and(col("event").eq(lit("x")))]), keys(&["u1"]));
    }

    #[test]
    fn other_filters_say_nothing_about_the_key() {
        for filter in [
            col("user_id").not_eq(lit("u1")),
            col("user_id").in_list(vec![lit("u1")], true),
            col("event").eq(lit("u1")),
            col("user_id").eq(lit("u1")).or(col("event").eq(lit("x"))),
            col("user_id").eq(col("anonymous_id")),
        ] {
            assert_eq!(user_keys(std::slice::from_ref(&filter)), None, "{filter}");
        }
    }
}
