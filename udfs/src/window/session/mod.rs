//! Session window functions: `sessionize`, `session_number` and its family, Adobe's `sess_timeout`,
//! `sess_start_if`, `sess_end_if` and their flat twins.
//!
//! One function type for all: a name stands for a list of parameters ([`spelling::Spelling`]) and a result
//! ([`spelling::Output`]). O(1) time and memory per row; the sort that `ORDER BY` asks for is DataFusion's
//! and falls away where the input is sorted already.

mod docs;
mod evaluator;
mod output;
mod spelling;

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, internal_err, plan_err};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::function::{
    ExpressionArgs, PartitionEvaluatorArgs, WindowFunctionSimplification, WindowUDFFieldArgs,
};
use datafusion::logical_expr::{
    Documentation, Expr, LimitEffect, PartitionEvaluator, Signature, Volatility, WindowUDFImpl,
};
use datafusion::physical_expr::PhysicalExpr;

use crate::session::{Argument, Call, Role, SessionCall, is_per_row};
use evaluator::SessionEvaluator;
use spelling::{Output, SPECS, Spec};

/// A session window function.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionFunction {
    spec: Spec,
    aliases: Vec<String>,
    signature: Signature,
}

/// Returns all session window functions.
pub(crate) fn all() -> impl Iterator<Item = SessionFunction> {
    SPECS.into_iter().map(SessionFunction::new)
}

impl SessionFunction {
    fn new(spec: Spec) -> Self {
        let mut signature = Signature::user_defined(Volatility::Immutable);
        let names = spec.spelling.parameters().iter().map(|(_, name)| (*name).to_owned());
        signature.parameter_names = Some(names.collect());
        Self { spec, aliases: spec.alias.map(str::to_owned).into_iter().collect(), signature }
    }

    fn call<'a>(&self, types: &'a [DataType]) -> Result<Call<'a>> {
        let Spec { name, spelling, .. } = self.spec;
        let parameters = spelling.parameters();
        let required = spelling.required();
        if (required..=parameters.len()).contains(&types.len()) {
            return Ok(Call { function: name, parameters, types });
        }
        let names: Vec<&str> = parameters.iter().map(|(_, name)| *name).collect();
        let names = names.join(", ");
        if required == parameters.len() {
            return plan_err!("{name} takes two arguments, got {}: write {name}({names})", types.len());
        }
        plan_err!("{name} takes {required} to {} arguments, got {}: {names}", parameters.len(), types.len())
    }

    /// Checks a call and returns its rules; `None` while a parameter has no value.
    fn rules(&self, call: &Call, arguments: &[Argument]) -> Result<Option<SessionCall>> {
        let Spec { name, spelling, output, .. } = self.spec;
        if spelling.is_complete() {
            let mut given = spelling.parameters().iter().zip(arguments);
            if let Some(((_, missing), _)) = given.find(|(_, argument)| **argument == Argument::Missing) {
                return plan_err!("{name}: {missing} must not be NULL");
            }
        }
        let lag = call.argument(arguments, Role::ClickLag);
        if output == Output::IsRobot && lag.is_none_or(|lag| *lag == Argument::Missing) {
            return plan_err!(
                "{name}: click_lag is missing; write for example click_lag => INTERVAL '1 second'"
            );
        }
        call.rules(arguments)
    }

    /// The arguments as they run.
    fn physical_arguments(&self, exprs: &[Arc<dyn PhysicalExpr>]) -> Result<Vec<Argument>> {
        let parameters = self.spec.spelling.parameters();
        let arguments = parameters
            .iter()
            .zip(exprs)
            .map(|((role, name), expr)| Argument::of_physical(expr, self.spec.name, name, is_per_row(*role)));
        arguments.collect()
    }

    /// Positions of the arguments that are computed for each row, with what they mean.
    fn per_row(&self, exprs: &[Arc<dyn PhysicalExpr>]) -> Result<Vec<(usize, Role)>> {
        let arguments = self.physical_arguments(exprs)?;
        let roles = self.spec.spelling.parameters().iter().map(|(role, _)| *role);
        let given = roles.zip(arguments).enumerate();
        Ok(given
            .filter(|(_, (role, argument))| {
                is_per_row(*role) && (*role == Role::Ts || *argument != Argument::Missing)
            })
            .map(|(position, (role, _))| (position, role))
            .collect())
    }
}

fn types(fields: &[FieldRef]) -> Vec<DataType> {
    fields.iter().map(|field| field.data_type().clone()).collect()
}

impl WindowUDFImpl for SessionFunction {
    fn name(&self) -> &str {
        self.spec.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        // Errors from here are wrapped in a list of candidate types; `field` reports them plainly.
        let coerced = self.call(arg_types).and_then(|call| call.coerce());
        Ok(coerced.unwrap_or_else(|_| arg_types.to_vec()))
    }

    fn field(&self, field_args: WindowUDFFieldArgs) -> Result<FieldRef> {
        let types = types(field_args.input_fields());
        let call = self.call(&types)?;
        call.coerce()?;
        Ok(Arc::new(Field::new(field_args.name(), self.spec.output.data_type(&call.time()?), true)))
    }

    fn simplify(&self) -> Option<WindowFunctionSimplification> {
        // Nothing becomes simpler: this is where constants are known while planning.
        let function = self.clone();
        Some(Box::new(move |window: WindowFunction, context| {
            if window.params.distinct {
                return plan_err!("{} does not take DISTINCT: leave it out", function.spec.name);
            }
            let exprs = &window.params.args;
            let types = exprs.iter().map(|expr| context.get_data_type(expr)).collect::<Result<Vec<_>>>()?;
            let arguments = exprs.iter().map(Argument::of_expr).collect::<Result<Vec<_>>>()?;
            function.rules(&function.call(&types)?, &arguments)?;
            Ok(Expr::from(window))
        }))
    }

    fn expressions(&self, expr_args: ExpressionArgs) -> Vec<Arc<dyn PhysicalExpr>> {
        // Constants are read once; there is no need for columns of them.
        let exprs = expr_args.input_exprs();
        match self.per_row(exprs) {
            Ok(per_row) => per_row.iter().map(|(position, _)| Arc::clone(&exprs[*position])).collect(),
            // `partition_evaluator` reports what is wrong.
            Err(_) => exprs.to_vec(),
        }
    }

    fn partition_evaluator(&self, args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        let types = types(args.input_fields());
        let call = self.call(&types)?;
        let arguments = self.physical_arguments(args.input_exprs())?;
        let Some(rules) = self.rules(&call, &arguments)? else {
            return internal_err!("{} runs with a parameter that has no value", self.spec.name);
        };
        let roles = self.per_row(args.input_exprs())?.into_iter().map(|(_, role)| role).collect();
        Ok(Box::new(SessionEvaluator::new(self.spec.name, self.spec.output, call.time()?, roles, rules)))
    }

    fn limit_effect(&self, _args: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        LimitEffect::None
    }

    fn documentation(&self) -> Option<&Documentation> {
        docs::of(self.spec.name)
    }
}
