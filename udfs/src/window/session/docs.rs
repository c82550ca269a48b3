use datafusion::logical_expr::Documentation;
pub(super) fn of(_name: &str) -> Option<&'static Documentation> { None }
