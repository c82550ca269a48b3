//! What the figures of paths do without.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::AggregateFunction;

use super::arguments::FIGURES;
use crate::aggregate::paths::{WantedFigures, with_wanted};
use crate::table::unused::Lists;

/// The lists of figures.
pub(in crate::table) const LISTS: Lists = Lists { column: FIGURES, smaller };

/// `call` with fewer figures; `None` if it is none of ours or needs all that it has.
fn smaller(call: &AggregateFunction, _: &DFSchema, used: &BTreeSet<String>) -> Result<Option<Expr>> {
    let Some(function) = with_wanted(&call.func, WantedFigures::of(used)) else {
        return Ok(None);
    };
    let args = call.params.args.clone();
    let smaller = || AggregateFunction::new_udf(Arc::new(function.clone()), args, false, None, vec![], None);
    Ok((*call.func != function).then(|| Expr::AggregateFunction(smaller())))
}
