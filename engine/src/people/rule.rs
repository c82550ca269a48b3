//! The optimizer rule that puts [`PersonAggregateExec`] in the place of an aggregate by person over a scan.
//!
//! It runs before DataFusion distributes and sorts, so that nothing of that is planned, and before filters move into
//! the scan. What is not proved to be a plain chain of filters and projections over a scan of files of ours stays as
//! it is; EXPLAIN then shows the reason at the scan.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::conjunction;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::{AggregateExec, AggregateMode};

use super::aggregate::{Aggregate, PersonAggregateExec, Task, TieBreaker};
use super::columns::Columns;
use super::fuse::{Fused, fuse, substituted};
use super::keys::{Key, Keys};
use super::per_value::{columns_of, over_codes, renumbered};
use super::repeats::ignores_repeats;
use super::window_rule::WindowsByPerson;
use super::{bucket_size, buckets, place, prepared};
use crate::scan::exec::TableScanExec;
use crate::schema;
use crate::settings::Settings;

/// `rules` with ours before all that distribute, sort or push filters down.
pub fn with_people_rule(
    mut rules: Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>>,
) -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    rules.insert(0, Arc::new(WindowsByPerson));
    rules.insert(1, Arc::new(AggregateByPerson));
    rules
}

/// The rule.
#[derive(Debug, Default, Clone, Copy)]
pub struct AggregateByPerson;

impl PhysicalOptimizerRule for AggregateByPerson {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let Some(candidate) = Candidate::of(&node) else {
                return Ok(Transformed::no(node));
            };
            match candidate.planned(config)? {
                Ok(by_person) => Ok(Transformed::yes(by_person)),
                Err(reason) if candidate.names_person() => with_reason(node, &reason),
                Err(_) => Ok(Transformed::no(node)),
            }
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "aggregate_by_person"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Shows at the scans below `node` why the layout is not used.
fn with_reason(node: Arc<dyn ExecutionPlan>, reason: &str) -> Result<Transformed<Arc<dyn ExecutionPlan>>> {
    node.transform_down(|part| match part.downcast_ref::<TableScanExec>() {
        Some(scan) => Ok(Transformed::yes(Arc::new(scan.with_note(format!("ordered: no, {reason}"))))),
        None => Ok(Transformed::no(part)),
    })
}

/// An aggregate that may have the person among its keys.
struct Candidate<'a> {
    /// Its last stage: what stands above it sees these columns.
    last: &'a AggregateExec,
    /// Its first stage, which sees rows.
    first: &'a AggregateExec,
}

impl<'a> Candidate<'a> {
    /// `None` for anything but all stages of an aggregate with keys.
    fn of(node: &'a Arc<dyn ExecutionPlan>) -> Option<Self> {
        let last = node.downcast_ref::<AggregateExec>()?;
        let first = match last.mode() {
            AggregateMode::Single | AggregateMode::SinglePartitioned => last,
            AggregateMode::Final | AggregateMode::FinalPartitioned => {
                match last.input().downcast_ref::<AggregateExec>() {
                    Some(first) if *first.mode() == AggregateMode::Partial => first,
                    _ => return None,
                }
            }
            _ => return None,
        };
        let keys = first.group_expr();
        (keys.is_single() && !keys.expr().is_empty()).then_some(Self { last, first })
    }

    /// Whether a key is a column called as the person is: then users expect the fast path.
    fn names_person(&self) -> bool {
        let is_named = |expr: &Arc<dyn PhysicalExpr>| {
            expr.downcast_ref::<Column>().is_some_and(|column| column.name() == schema::USER_ID)
        };
        self.first.group_expr().expr().iter().any(|(expr, _)| is_named(expr))
    }

    /// The plan in its place, or why there is none.
    fn planned(&self, config: &ConfigOptions) -> Result<std::result::Result<Arc<dyn ExecutionPlan>, String>> {
        let settings = config.extensions.get::<Settings>().copied().unwrap_or_default();
        if !settings.fast_path {
            return Ok(Err("wayfare.fast_path is off".to_owned()));
        }
        if let Some(reason) = self.refused_function() {
            return Ok(Err(reason));
        }
        let fused = match fuse(self.first.input())? {
            Ok(fused) => fused,
            Err(reason) => return Ok(Err(reason)),
        };
        let Some(source) = fused.scan.source() else {
            return Ok(Err("the scan was changed".to_owned()));
        };
        if source.is_limited {
            return Ok(Err("only some rows are asked for".to_owned()));
        }
        let Ok(person) = source.full_schema.index_of(schema::USER_ID) else {
            return Ok(Err("the table has no people".to_owned()));
        };
        let plan = Plan { candidate: self, fused: &fused, person };
        plan.build(config, &settings)
    }

    fn refused_function(&self) -> Option<String> {
        self.first.aggr_expr().iter().find_map(|function| {
            let name = function.fun().name();
            let needs_order = function.order_sensitivity() == AggregateOrderSensitivity::HardRequirement
                && !function.order_bys().is_empty();
            if needs_order {
                Some(format!("{name} wants all its rows in an order of its own"))
            } else if !function.groups_accumulator_supported() {
                Some(format!("{name} has no accumulator for many groups"))
            } else {
                None
            }
        })
    }
}

/// The parts that the operator is made of.
struct Plan<'a> {
    candidate: &'a Candidate<'a>,
    fused: &'a Fused<'a>,
    /// Number of `user_id` among the columns of the table.
    person: usize,
}

impl Plan<'_> {
    fn build(
        &self,
        config: &ConfigOptions,
        settings: &Settings,
    ) -> Result<std::result::Result<Arc<dyn ExecutionPlan>, String>> {
        let Some(source) = self.fused.scan.source() else {
            return Ok(Err("the scan was changed".to_owned()));
        };
        let first = self.candidate.first;
        let over_table = |expr: &Arc<dyn PhysicalExpr>| substituted(expr, &self.fused.outputs);
        let keys = first.group_expr().expr().iter().map(|(expr, _)| over_table(expr));
        let keys: Vec<Arc<dyn PhysicalExpr>> = keys.collect::<Result<_>>()?;
        let is_person = |expr: &Arc<dyn PhysicalExpr>| {
            expr.downcast_ref::<Column>().is_some_and(|column| column.index() == self.person)
        };
        if !keys.iter().any(is_person) {
            return Ok(Err("user_id is not the table's".to_owned()));
        }
        let mut calls = Vec::new();
        for (function, filter) in first.aggr_expr().iter().zip(first.filter_expr()) {
            let mut arguments = function.expressions();
            // Functions that look at an order take its columns behind their arguments.
            arguments.extend(function.order_bys().iter().map(|order| Arc::clone(&order.expr)));
            let arguments = arguments.iter().map(over_table).collect::<Result<Vec<_>>>()?;
            let filter = filter.as_ref().map(over_table).transpose()?;
            let function = Arc::clone(function);
            let call = Aggregate { function, arguments, conditions: 0..0, filter, by_time: None };
            calls.push(prepared::without_idle_arguments(call, &source.complete));
        }
        let filter =
            (!self.fused.filters.is_empty()).then(|| conjunction(self.fused.filters.iter().cloned()));

        let mut used = vec![self.person];
        let in_calls = calls.iter().flat_map(|call| call.arguments.iter().chain(&call.filter));
        for expr in keys.iter().chain(in_calls).chain(&filter) {
            if is_volatile(expr) && !is_key_guard(expr) {
                return Ok(Err("an expression is volatile".to_owned()));
            }
            used.extend(columns_of(expr)?);
        }
        used.sort_unstable();
        used.dedup();
        let columns = Columns::new(&source.full_schema, &used);
        let place = |index: usize| used.binary_search(&index).ok();
        let may_tell =
            |column: &usize| columns.is_coded(*column) && columns.delivered().field(*column).is_nullable();
        let presence = prepared::take_presence(&mut calls, &keys, |index| place(index).filter(may_tell))?;
        let over_batch = |expr: Arc<dyn PhysicalExpr>| over_codes(renumbered(expr, place)?, &columns);
        let schema = self.candidate.last.schema();
        let key_fields: Vec<FieldRef> = schema.fields().iter().take(keys.len()).map(Arc::clone).collect();
        let grouping = keys.clone();
        let mut classified = Vec::with_capacity(keys.len());
        for (expr, field) in keys.into_iter().zip(&key_fields) {
            classified.push(if is_person(&expr) {
                if !is_id(field) {
                    return Ok(Err("user_id is not text".to_owned()));
                }
                Key::Person
            } else if columns_of(&expr)?.iter().all(|column| *column == self.person) {
                Key::OfPerson(renumbered(expr, |_| Some(0))?)
            } else {
                let is_plain = expr.is::<Column>();
                let expr = renumbered(expr, place)?;
                Key::Further(if is_plain { expr } else { over_codes(expr, &columns)? })
            });
        }
        let others = filter.iter().chain(&grouping);
        let tie_breaker = prepared::tie_breaker(&calls, others, &source.full_schema)?;
        let tie_breaker = tie_breaker.and_then(|index| {
            let column = place(index)?;
            let is_text = *columns.delivered().field(column).data_type() == DataType::Utf8View;
            let is_told_by_place = is_text && place::tells_order(source, index);
            Some(TieBreaker { column, is_told_by_place })
        });
        let partitions = config.execution.target_partitions.max(1);
        let seldom = tie_breaker.map(|told| told.column);
        let max_rows = bucket_size::max_rows(settings, &columns, seldom, partitions);
        let Some(division) = buckets::divide(&source.files, partitions, max_rows) else {
            return Ok(Err("a file of another writer is among the files".to_owned()));
        };
        let mut aggregates = Vec::with_capacity(calls.len());
        for call in calls {
            let number = |expr| renumbered(expr, place);
            aggregates.push(prepared::over_batches(
                Aggregate {
                    arguments: call.arguments.into_iter().map(number).collect::<Result<_>>()?,
                    filter: call.filter.map(number).transpose()?,
                    ..call
                },
                &columns,
            )?);
        }
        let filter = filter.map(over_batch).transpose()?;
        let task = Task {
            summary: Arc::clone(self.fused.scan.summary()),
            source: Arc::clone(source),
            keys: Keys::new(classified, &key_fields),
            columns,
            tie_breaker,
            presence,
            filter,
            ignores_repeats: first.aggr_expr().iter().all(|call| ignores_repeats(call)),
            aggregates,
            division,
            schema,
        };
        Ok(Ok(Arc::new(PersonAggregateExec::new(task))))
    }
}

fn is_id(field: &Field) -> bool {
    *field.data_type() == schema::sql_type(&DataType::Utf8)
}

/// Whether `expr` is the constant key that keeps DataFusion from taking other keys for unique.
fn is_key_guard(expr: &Arc<dyn PhysicalExpr>) -> bool {
    expr.downcast_ref::<ScalarFunctionExpr>()
        .is_some_and(|call| wayfare_udfs::table::is_key_guard(call.fun()))
}
