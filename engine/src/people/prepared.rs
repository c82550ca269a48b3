//! Calls of aggregates over the batches that are delivered; those of ours get what they can make use of.

use std::sync::Arc;

use arrow::array::{ArrayRef, NullArray, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::aggregate::AggregateExprBuilder;
use datafusion::physical_expr::expressions::{Column, Literal, lit};
use wayfare_udfs::by_person::{
    ArgumentUse, argument_use, condition_arguments, idle_arguments, origin_arguments, read_by_call,
};

use super::aggregate::Aggregate;
use super::by_time::ByTime;
use super::columns::Columns;
use super::per_value::{columns_of, over_codes};
use super::presence::Presence;
use crate::schema;

/// The column of the table that only tells rows of one person and one instant apart, if there is one.
///
/// It is `event_id` where functions of ours take it as the sequence beside `ts`, and nothing else looks at it.
pub fn tie_breaker<'a>(
    calls: &[Aggregate],
    others: impl Iterator<Item = &'a Arc<dyn PhysicalExpr>>,
    table: &Schema,
) -> Result<Option<usize>> {
    let (Ok(event_id), Ok(ts)) = (table.index_of(schema::EVENT_ID), table.index_of(schema::TS)) else {
        return Ok(None);
    };
    let is = |expr: &Arc<dyn PhysicalExpr>, wanted: usize| {
        expr.downcast_ref::<Column>().is_some_and(|column| column.index() == wanted)
    };
    let mut found = false;
    let mut elsewhere: Vec<&Arc<dyn PhysicalExpr>> = others.collect();
    for call in calls {
        let places = argument_use(call.function.fun()).and_then(|places| places.time_and_sequence);
        let sequence = places.filter(|(time, sequence)| {
            is(&call.arguments[*time], ts) && is(&call.arguments[*sequence], event_id)
        });
        found |= sequence.is_some();
        let is_sequence = |position: usize| sequence.is_some_and(|(_, sequence)| sequence == position);
        let rest = call.arguments.iter().enumerate().filter(|(position, _)| !is_sequence(*position));
        elsewhere.extend(rest.map(|(_, argument)| argument).chain(&call.filter));
    }
    for expr in elsewhere {
        if columns_of(expr)?.contains(&event_id) {
            return Ok(None);
        }
    }
    Ok(found.then_some(event_id))
}

/// `call` with NULL in the place of arguments that make no difference, given which columns of the table have a value in
/// every row.
pub fn without_idle_arguments(mut call: Aggregate, complete: &[bool]) -> Aggregate {
    let is_complete = |argument: usize| {
        let column = call.arguments.get(argument).and_then(|argument| argument.downcast_ref::<Column>());
        column.is_some_and(|column| complete.get(column.index()) == Some(&true))
    };
    let idle = idle_arguments(call.function.fun(), call.function.field().data_type(), is_complete);
    for argument in idle {
        if let Some(argument) = call.arguments.get_mut(argument) {
            *argument = lit(ScalarValue::Null);
        }
    }
    call
}

/// Columns of which a call only wants to know in which rows any has a value, if nobody looks at them otherwise. One
/// argument of the call stays, to tell of all of them.
///
/// `calls` and `keys` are over the columns of the table; `place` gives the place of one that is read as codes and may be
/// NULL.
///
/// # Errors
/// Those of walking through expressions.
pub fn take_presence(
    calls: &mut [Aggregate],
    keys: &[Arc<dyn PhysicalExpr>],
    place: impl Fn(usize) -> Option<usize>,
) -> Result<Option<Presence>> {
    for position in 0..calls.len() {
        if let Some((presence, told)) = presence_of(calls, position, keys, &place)? {
            for argument in told {
                calls[position].arguments[argument] = lit(ScalarValue::Null);
            }
            return Ok(Some(presence));
        }
    }
    Ok(None)
}

/// That of the call at `position`, and the arguments that another one tells of.
fn presence_of(
    calls: &[Aggregate],
    position: usize,
    keys: &[Arc<dyn PhysicalExpr>],
    place: impl Fn(usize) -> Option<usize>,
) -> Result<Option<(Presence, Vec<usize>)>> {
    let call = &calls[position];
    let Some(origins) = origin_arguments(call.function.fun(), call.function.field().data_type()) else {
        return Ok(None);
    };
    let is_given = |argument: &usize| {
        let literal = call.arguments[*argument].downcast_ref::<Literal>();
        !literal.is_some_and(|literal| literal.value().is_null())
    };
    let column_of = |argument: &usize| Some(call.arguments[*argument].downcast_ref::<Column>()?.index());
    let hidden: Vec<usize> = origins.hidden.into_iter().filter(is_given).collect();
    let columns: Option<Vec<usize>> = hidden.iter().map(column_of).collect();
    let Some(columns) = columns else { return Ok(None) };
    let places: Option<Vec<usize>> = columns.iter().map(|column| place(*column)).collect();
    let (Some([told_by, others @ ..]), [_, told @ ..]) = (places.as_deref(), hidden.as_slice()) else {
        return Ok(None);
    };
    for (number, other) in calls.iter().enumerate() {
        let arguments = other.arguments.iter().enumerate();
        let arguments = arguments.filter(|(argument, _)| number != position || !hidden.contains(argument));
        for expr in arguments.map(|(_, argument)| argument).chain(&other.filter).chain(keys) {
            if columns_of(expr)?.iter().any(|column| columns.contains(column)) {
                return Ok(None);
            }
        }
    }
    let shown = origins.shown.iter().filter_map(|argument| place(column_of(argument)?)).collect();
    Ok(Some((Presence { told_by: *told_by, others: others.to_vec(), shown }, told.to_vec())))
}

/// A call whose arguments are over the SQL types of `columns`, over the batches that are delivered.
pub fn over_batches(call: Aggregate, columns: &Columns) -> Result<Aggregate> {
    let by_time = ByTime::of(&call, columns);
    let filter = call.filter.map(|filter| over_codes(filter, columns)).transpose()?;
    if by_time.is_some() {
        return Ok(Aggregate { filter, by_time, ..call });
    }
    let Some(ArgumentUse { coded, .. }) = argument_use(call.function.fun()) else {
        let arguments = call.arguments.into_iter().map(|argument| over_codes(argument, columns));
        return Ok(Aggregate { arguments: arguments.collect::<Result<_>>()?, filter, ..call });
    };
    let types = call.arguments.iter().map(|argument| argument.data_type(columns.sql()));
    let types = types.collect::<Result<Vec<_>>>()?;
    let read_by_call = read_by_call(call.function.fun(), &types);
    let conditions = condition_arguments(call.function.fun(), &types);
    let mut typed = Vec::with_capacity(call.arguments.len());
    let mut arguments = Vec::with_capacity(call.arguments.len());
    for (position, argument) in call.arguments.into_iter().enumerate() {
        if coded.contains(&position) && argument.is::<Column>() {
            typed.push(Arc::clone(&argument));
            arguments.push(argument);
            continue;
        }
        let unread = read_by_call.contains(&position) && argument.is::<Literal>();
        let argument = over_codes(argument, columns)?;
        typed.push(Arc::clone(&argument));
        arguments.push(if unread { Arc::new(Unread) as _ } else { argument });
    }
    let called = &call.function;
    let function = AggregateExprBuilder::new(Arc::new(called.fun().clone()), typed)
        .schema(Arc::clone(columns.delivered()))
        .alias(called.name())
        .with_distinct(called.is_distinct())
        .with_ignore_nulls(called.ignore_nulls())
        .build()?;
    Ok(Aggregate { function: Arc::new(function), arguments, conditions, filter, by_time })
}

/// In the place of a constant that the call knows already: an array without memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Unread;

impl PhysicalExpr for Unread {
    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let column: ArrayRef = Arc::new(NullArray::new(batch.num_rows()));
        Ok(ColumnarValue::Array(column))
    }

    fn return_field(&self, _: &Schema) -> Result<FieldRef> {
        Ok(Arc::new(Field::new("unread", DataType::Null, true)))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(self)
    }

    fn fmt_sql(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "unread")
    }
}

impl std::fmt::Display for Unread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "unread")
    }
}
