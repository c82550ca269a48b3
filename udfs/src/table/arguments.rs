//! From the arguments as written to a map of names.

use std::collections::BTreeMap;

use datafusion::common::{Result, plan_err};
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr as SqlExpr, FunctionArg, FunctionArgExpr, Value, ValueWithSpan,
};

/// Name of the first argument.
const DATA: &str = "data";

/// The arguments of one call, each under its name.
#[derive(Debug)]
pub(super) struct Arguments {
    data: SqlExpr,
    named: BTreeMap<&'static str, SqlExpr>,
}

impl Arguments {
    /// Sorts `args` by name: the data first, then those without a name in the order of `parameters`, then named
    /// ones. An argument that is NULL is the same as one that is not given.
    ///
    /// # Errors
    /// A plan error for a missing data argument, an unknown name, a name given twice, too many arguments, an
    /// argument without a name after a named one, and for `by = x`, which compares and does not name.
    pub(super) fn read(
        function: &'static str,
        parameters: &'static [&'static str],
        args: Vec<FunctionArg>,
    ) -> Result<Self> {
        let mut data = None;
        let mut named = BTreeMap::new();
        let mut positional = std::iter::once(DATA).chain(parameters.iter().copied());
        let mut seen_named = false;
        for arg in args {
            let (name, value) = match arg {
                FunctionArg::Named { name, arg, .. } => (Some(name.value), arg),
                FunctionArg::ExprNamed { name: SqlExpr::Identifier(name), arg, .. } => {
                    (Some(name.value), arg)
                }
                FunctionArg::ExprNamed { name, .. } => {
                    return plan_err!("{function}: {name} is not the name of an argument");
                }
                FunctionArg::Unnamed(arg) => (None, arg),
            };
            let FunctionArgExpr::Expr(value) = value else {
                return plan_err!("{function}: * is not an argument; give a table, a view or (SELECT * ...)");
            };
            let name = match name {
                Some(given) => {
                    seen_named = true;
                    known(function, parameters, &given)?
                }
                None if seen_named => {
                    return plan_err!(
                        "{function}: the argument {value} has no name; after a named argument write name => value"
                    );
                }
                None => {
                    refuse_comparison(function, parameters, &value)?;
                    match positional.next() {
                        Some(name) => name,
                        None => {
                            return plan_err!(
                                "{function} takes at most {} arguments: {}",
                                parameters.len() + 1,
                                listed(parameters)
                            );
                        }
                    }
                }
            };
            if name == DATA {
                if data.replace(value).is_some() {
                    return plan_err!("{function}: the data is given twice");
                }
            } else if named.insert(name, value).is_some() {
                return plan_err!("{function}: argument {name} is given twice");
            }
        }
        named.retain(|_, value| !is_null(value));
        match data {
            Some(data) => Ok(Self { data, named }),
            None => plan_err!(
                "{function} needs data as its first argument: a table, a view or a query in parentheses, \
                 as in {function}(touchpoints, ...)"
            ),
        }
    }

    /// The data and the other arguments.
    pub(super) fn into_parts(self) -> (SqlExpr, BTreeMap<&'static str, SqlExpr>) {
        (self.data, self.named)
    }
}

fn is_null(value: &SqlExpr) -> bool {
    matches!(value, SqlExpr::Value(ValueWithSpan { value: Value::Null, .. }))
}

fn known(function: &str, parameters: &[&'static str], given: &str) -> Result<&'static str> {
    let mut all = std::iter::once(DATA).chain(parameters.iter().copied());
    match all.find(|name| name.eq_ignore_ascii_case(given)) {
        Some(name) => Ok(name),
        None => plan_err!("{function} has no argument {given}; it has {}", listed(parameters)),
    }
}

/// `by = channel` would be a comparison in the place of the next argument.
fn refuse_comparison(function: &str, parameters: &[&'static str], value: &SqlExpr) -> Result<()> {
    let SqlExpr::BinaryOp { left, op: BinaryOperator::Eq, right } = value else {
        return Ok(());
    };
    match left.as_ref() {
        SqlExpr::Identifier(name)
            if parameters.iter().any(|known| known.eq_ignore_ascii_case(&name.value)) =>
        {
            plan_err!("{function}: {value} compares; to give the argument write {name} => {right}")
        }
        _ => Ok(()),
    }
}

fn listed(parameters: &[&'static str]) -> String {
    format!("{DATA}, {}", parameters.join(", "))
}
