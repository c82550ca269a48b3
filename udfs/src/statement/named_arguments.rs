//! Named arguments of functions, with gaps.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use datafusion::common::utils::datafusion_strsim::levenshtein;
use datafusion::common::{DataFusionError, Result, plan_err};
use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Statement, Value, VisitMut,
    VisitorMut,
};

use crate::{all_aggregate_functions, all_scalar_functions, all_window_functions};

/// The argument that no function can do without: NULL in its place would be taken for rows without a time.
const NEVER_LEFT_OUT: &str = "ts";

/// Names of the parameters of functions, in their order, by function name and alias in lower case.
#[derive(Debug, Default)]
pub struct Parameters(HashMap<String, Vec<String>>);

impl Parameters {
    /// Those of all functions of this crate that have names for their parameters.
    pub fn of_this_crate() -> &'static Self {
        static ALL: LazyLock<Parameters> = LazyLock::new(|| {
            let mut all = Parameters::default();
            for function in all_aggregate_functions() {
                all.add(function.name(), function.aliases(), function.signature().parameter_names.as_deref());
            }
            for function in all_window_functions() {
                all.add(function.name(), function.aliases(), function.signature().parameter_names.as_deref());
            }
            for function in all_scalar_functions() {
                all.add(function.name(), function.aliases(), function.signature().parameter_names.as_deref());
            }
            all
        });
        &ALL
    }

    /// Adds a function; one without `names` keeps what DataFusion does.
    fn add(&mut self, name: &str, aliases: &[String], names: Option<&[String]>) {
        let Some(names) = names else { return };
        for name in std::iter::once(name).chain(aliases.iter().map(String::as_str)) {
            self.0.insert(name.to_lowercase(), names.to_vec());
        }
    }

    fn of(&self, function: &Function) -> Option<(String, &[String])> {
        let [name] = function.name.0.as_slice() else {
            return None;
        };
        let name = folded(name.as_ident()?);
        let names = self.0.get(&name)?;
        Some((name, names))
    }
}

/// Puts named arguments in the order of the function's parameters.
///
/// Parameters left out before one that is given become NULL, which every optional argument takes for "not given".
/// Where the last parameters are a numbered series (`cond1`, `cond2` ...), arguments without a name may follow the
/// named ones: they are that series, of any length. Calls without names and functions not in `parameters` stay as
/// they are.
///
/// # Errors
/// Plan errors that name the function and the argument: an unknown name, a name given twice, an argument without a
/// name after a named one, a gap where there can be none.
pub fn resolve_names(statement: &mut Statement, parameters: &Parameters) -> Result<()> {
    match VisitMut::visit(statement, &mut Calls { parameters }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct Calls<'a> {
    parameters: &'a Parameters,
}

impl VisitorMut for Calls<'_> {
    // Boxed: the visitor keeps one on the stack at each level.
    type Break = Box<DataFusionError>;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        let Expr::Function(function) = expr else {
            return ControlFlow::Continue(());
        };
        let Some((name, names)) = self.parameters.of(function) else {
            return ControlFlow::Continue(());
        };
        let FunctionArguments::List(list) = &mut function.args else {
            return ControlFlow::Continue(());
        };
        if list.args.iter().all(|arg| matches!(arg, FunctionArg::Unnamed(_))) {
            return ControlFlow::Continue(());
        }
        let call = Call { function: &name, names, repeated_from: repeated_from(names) };
        match call.resolve(std::mem::take(&mut list.args)) {
            Ok(args) => {
                list.args = args.into_iter().map(FunctionArg::Unnamed).collect();
                ControlFlow::Continue(())
            }
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }
}

/// Where the numbered series at the end of `names` begins; their number if there is none.
fn repeated_from(names: &[String]) -> usize {
    let Some(prefix) = names.last().map(|last| last.trim_end_matches(|c: char| c.is_ascii_digit())) else {
        return 0;
    };
    let is_numbered = |name: &String, number: usize| {
        name.strip_prefix(prefix).is_some_and(|digits| digits == number.to_string())
    };
    let starts = (0..names.len()).find(|start| {
        names.len() - start > 1
            && names[*start..].iter().zip(1..).all(|(name, number)| is_numbered(name, number))
    });
    starts.unwrap_or(names.len())
}

struct Call<'a> {
    function: &'a str,
    names: &'a [String],
    /// Index of the first parameter of the numbered series at the end.
    repeated_from: usize,
}

impl Call<'_> {
    fn resolve(&self, args: Vec<FunctionArg>) -> Result<Vec<FunctionArgExpr>> {
        let mut slots: Vec<Option<FunctionArgExpr>> = Vec::new();
        let mut position = 0;
        let mut last_name: Option<String> = None;
        let mut in_series = false;
        for arg in args {
            match self.parts(arg)? {
                (Some(name), value) => {
                    if in_series {
                        return plan_err!(
                            "{}: the argument {} follows arguments without a name; put it before them",
                            self.function,
                            name.value
                        );
                    }
                    let index = self.index(&name)?;
                    if !place(&mut slots, index, value) {
                        return plan_err!(
                            "{}: the argument {} is given twice",
                            self.function,
                            self.names[index]
                        );
                    }
                    last_name = Some(name.value);
                }
                (None, value) => {
                    if let (Some(last), false) = (&last_name, in_series) {
                        position = self.after_named(&slots, position, last)?;
                        in_series = true;
                    }
                    place(&mut slots, position, value);
                    position += 1;
                }
            }
        }
        self.filled(slots)
    }

    fn parts(&self, arg: FunctionArg) -> Result<(Option<Ident>, FunctionArgExpr)> {
        match arg {
            FunctionArg::Unnamed(value) => Ok((None, value)),
            FunctionArg::Named { name, arg, .. }
            | FunctionArg::ExprNamed { name: Expr::Identifier(name), arg, .. } => Ok((Some(name), arg)),
            FunctionArg::ExprNamed { name, .. } => {
                plan_err!(
                    "{}: {name} is not the name of an argument; allowed are {}",
                    self.function,
                    self.names.join(", ")
                )
            }
        }
    }

    fn index(&self, name: &Ident) -> Result<usize> {
        let wanted = folded(name);
        if let Some(index) = self.names.iter().position(|known| *known == wanted) {
            return Ok(index);
        }
        let mut nearest: Vec<&str> = self.names.iter().map(String::as_str).collect();
        // Stable: names equally near stay in their order.
        nearest.sort_by_key(|known| levenshtein(known, &wanted));
        plan_err!(
            "{}: there is no argument {}; allowed are {}",
            self.function,
            name.value,
            nearest.join(", ")
        )
    }

    /// Where arguments without a name go after named ones: into the series at the end.
    fn after_named(&self, slots: &[Option<FunctionArgExpr>], position: usize, last: &str) -> Result<usize> {
        if self.repeated_from == self.names.len() {
            return plan_err!(
                "{}: an argument without a name follows the argument {last}; name it too: {}",
                self.function,
                self.names.join(", ")
            );
        }
        if position > self.repeated_from || slots.len() > self.repeated_from {
            return plan_err!(
                "{}: an argument without a name follows the argument {last}; give {} and those after it either all \
                 by name or all without",
                self.function,
                self.names[self.repeated_from]
            );
        }
        Ok(self.repeated_from)
    }

    fn filled(&self, slots: Vec<Option<FunctionArgExpr>>) -> Result<Vec<FunctionArgExpr>> {
        let mut values = Vec::with_capacity(slots.len());
        let never_left_out = self.names.iter().position(|name| name == NEVER_LEFT_OUT);
        if let Some(index) = never_left_out
            && slots.get(index).is_none_or(Option::is_none)
        {
            return plan_err!("{}: the argument {NEVER_LEFT_OUT} is missing", self.function);
        }
        for (index, slot) in slots.into_iter().enumerate() {
            match slot {
                Some(value) => values.push(value),
                None if index >= self.repeated_from => {
                    return plan_err!(
                        "{}: the argument {} is missing, though a later one is given",
                        self.function,
                        self.names[index]
                    );
                }
                None => {
                    values.push(FunctionArgExpr::Expr(Expr::Value(Value::Null.with_empty_span())));
                }
            }
        }
        Ok(values)
    }
}

/// Puts `value` at `index`; false if there is one already.
fn place(slots: &mut Vec<Option<FunctionArgExpr>>, index: usize, value: FunctionArgExpr) -> bool {
    if slots.len() <= index {
        slots.resize(index + 1, None);
    }
    slots[index].replace(value).is_none()
}

fn folded(name: &Ident) -> String {
    if name.quote_style.is_some() { name.value.clone() } else { name.value.to_lowercase() }
}

#[cfg(test)]
mod tests;
