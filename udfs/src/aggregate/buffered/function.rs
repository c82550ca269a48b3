//! The DataFusion face that all buffered aggregates share.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, Documentation, Expr, GroupsAccumulator, Signature, Volatility,
};

use super::Call;
use super::accumulator::{BufferedGroups, BufferedOne};
use super::state;

/// A constant argument of a call: `None` while it is a parameter without a value, or not constant.
pub(crate) type ConstantArguments<'a> = &'a dyn Fn(usize) -> Option<ScalarValue>;

/// What distinguishes one buffered aggregate from another.
pub(crate) trait Buffered: Debug + Clone + PartialEq + Eq + Hash + Send + Sync + 'static {
    /// Name in SQL.
    fn name(&self) -> &'static str;

    /// Other spellings of the name.
    fn aliases(&self) -> &[String] {
        &[]
    }

    /// Names of the arguments for calls by name; empty if there are none.
    fn parameter_names(&self) -> Vec<String>;

    /// Returns the types that the arguments are cast to; types that it returned it leaves as they are.
    ///
    /// # Errors
    /// A plan error that names the argument that does not fit.
    fn coerce(&self, arg_types: &[DataType]) -> Result<Vec<DataType>>;

    /// Type of the result, from coerced argument types.
    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType>;

    /// Types of the columns that [`Call::keep`] gives, from coerced argument types.
    fn kept_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>>;

    /// Reads the constant arguments; called once for each partition.
    ///
    /// # Errors
    /// A plan error for a constant that does not fit.
    fn call(&self, args: &AccumulatorArgs) -> Result<Arc<dyn Call>>;

    /// Checks constant arguments while the statement is planned; `types` are coerced, `constant` gives the value of
    /// an argument if it has one already, and `expr` is the argument as it stands.
    fn check(&self, _types: &[DataType], _constants: ConstantArguments, _exprs: &[Expr]) -> Result<()> {
        Ok(())
    }

    /// Result for no rows where there is no GROUP BY and the input is empty.
    fn is_nullable(&self) -> bool {
        true
    }

    /// Result where there are no rows at all, from the type of the result: without GROUP BY, and for a sub-query that
    /// gives no row.
    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        ScalarValue::try_from(data_type)
    }

    /// Puts arguments that stand for several into their place, before they are checked.
    fn unpack(&self, args: Vec<Expr>) -> Vec<Expr> {
        args
    }

    /// Rewrites arguments that depend on others, when all have their types and before they are checked. What it returned
    /// it leaves as it is.
    ///
    /// # Errors
    /// A plan error for what cannot be rewritten.
    fn resolve(&self, _types: &[DataType], args: Vec<Expr>) -> Result<Vec<Expr>> {
        Ok(args)
    }

    /// Entry of the SQL reference; `None` for aggregates that only table functions use.
    fn documentation(&self) -> Option<&Documentation> {
        None
    }
}

/// The SQL aggregate function around a [`Buffered`].
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct BufferedAggregate<F: Buffered> {
    function: F,
    signature: Signature,
}

impl<F: Buffered> BufferedAggregate<F> {
    /// Returns the function.
    pub(crate) fn new(function: F) -> Self {
        let mut signature = Signature::user_defined(Volatility::Immutable);
        let names = function.parameter_names();
        signature.parameter_names = (!names.is_empty()).then_some(names);
        Self { function, signature }
    }

    /// What it is around.
    pub(crate) fn function(&self) -> &F {
        &self.function
    }

    fn types(args: &AccumulatorArgs) -> Vec<DataType> {
        args.expr_fields.iter().map(|field| field.data_type().clone()).collect()
    }

    fn bound(&self, args: &AccumulatorArgs) -> Result<(Arc<dyn Call>, Vec<DataType>)> {
        if args.is_distinct {
            return plan_err!("{} does not take DISTINCT: leave it out", self.function.name());
        }
        Ok((self.function.call(args)?, self.function.kept_types(&Self::types(args))?))
    }
}

impl<F: Buffered> AggregateUDFImpl for BufferedAggregate<F> {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn aliases(&self) -> &[String] {
        self.function.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        // Errors from here are wrapped in a list of candidate types; `return_type` reports them plainly.
        Ok(self.function.coerce(arg_types).unwrap_or_else(|_| arg_types.to_vec()))
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        let coerced = self.function.coerce(arg_types)?;
        self.function.return_type(&coerced)
    }

    fn is_nullable(&self) -> bool {
        self.function.is_nullable()
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let types: Vec<DataType> = args.input_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(state::fields(args.name, &self.function.kept_types(&types)?))
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let (call, kept_types) = self.bound(&args)?;
        Ok(Box::new(BufferedOne::new(call, kept_types)))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        !args.is_distinct
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let (call, kept_types) = self.bound(&args)?;
        Ok(Box::new(BufferedGroups::new(call, kept_types)))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        // Rows are sorted inside: no order of the input is needed and none changes the answer.
        AggregateOrderSensitivity::Insensitive
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        self.function.default_value(data_type)
    }

    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        // Nothing becomes simpler: this is where constants are known while planning.
        let function = self.function.clone();
        Some(Box::new(move |mut call: AggregateFunction, context| {
            call.params.args = function.unpack(std::mem::take(&mut call.params.args));
            let args = std::mem::take(&mut call.params.args);
            let types = args.iter().map(|expr| context.get_data_type(expr)).collect::<Result<Vec<_>>>()?;
            call.params.args = function.resolve(&types, args)?;
            let exprs = &call.params.args;
            let constant = |index: usize| match exprs.get(index) {
                Some(Expr::Literal(value, _)) => Some(value.clone()),
                _ => None,
            };
            function.check(&types, &constant, exprs)?;
            Ok(Expr::AggregateFunction(call))
        }))
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.function.documentation()
    }
}
