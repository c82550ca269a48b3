//! The arguments that all attribution functions share.

use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlanBuilder, lit};

use super::lookback::{Lookback, decay, lookback};
use crate::aggregate::attribution::{Layout, ModelKind, NamedModel};
use crate::arguments::LengthArgument;
use crate::journey::attribution::{Count, mark};
use crate::journey::ties::Ties;
use crate::money::money_type;
use crate::table::TableCall;

/// Type in which keys and ids are shown.
pub(super) const TEXT: DataType = DataType::Utf8View;

/// Keys that no marketing brought about, in lower case.
const DIRECT: [&str; 2] = ["direct", "(direct)"];

/// What a call says: the layout of the aggregate behind it, and its arguments.
#[derive(Debug)]
pub(in crate::table) struct AttributionArguments {
    pub(in crate::table) layout: Layout,
    pub(in crate::table) person: Expr,
    /// Cast to the type in which lengths are counted.
    pub(super) ts: Expr,
    pub(super) ts_type: DataType,
    /// The arguments of the aggregate.
    pub(in crate::table) arguments: Vec<Expr>,
}

/// What a function reads beside conversions and touches.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::table) struct Wanted {
    /// What touches cost.
    pub(in crate::table) cost: bool,
    /// Ids of touches and conversions.
    pub(in crate::table) event_id: bool,
    /// Whether touches count for ever if nothing else is said.
    pub(in crate::table) all_touches: bool,
}

impl AttributionArguments {
    pub(in crate::table) fn read(
        call: &mut TableCall<'_>,
        models: Vec<NamedModel>,
        wanted: Wanted,
    ) -> Result<Self> {
        let function = call.function();
        let ts = call.ts()?;
        let given_type = call.type_of(&ts)?;
        let [ts_type, _] =
            LengthArgument { function, name: "lookback" }.coerce(&given_type, &DataType::Null)?;
        let ts = ts.cast_to(&ts_type, call.schema())?;
        let Lookback { length, touches, session, session_gap } =
            lookback(call, &given_type, wanted.all_touches)?;
        let half_life = decay(call, &given_type, &models)?;
        let ties = call.choice("ties", &Ties::NAMES)?.unwrap_or_default();
        let sequence = match ties {
            Ties::Order => call.sequence()?,
            Ties::SameInstant | Ties::Strict => call.expr("sequence")?,
        };
        if ties == Ties::Order && sequence.is_none() {
            return plan_err!(
                "{function}: ties => 'order' needs sequence => expression, what orders rows of one instant"
            );
        }
        let same_touch = models.iter().any(|model| model.kind == ModelKind::SameTouch);
        if ties == Ties::Strict && same_touch {
            return plan_err!(
                "{function}: model 'same_touch' is about the converting row; it does not go with ties => 'strict'"
            );
        }
        let has_direct = models.iter().any(|model| model.kind == ModelKind::LastNonDirect);
        let key = call.expr_or_column("by", "channel")?.cast_to(&TEXT, call.schema())?;
        let conditions = conditions(call, &key, has_direct)?;
        let required = call.conditions("require")?.unwrap_or_default();
        if required.len() > mark::MAX_REQUIRED {
            return plan_err!(
                "{function}: argument require takes at most {} conditions, got {}",
                mark::MAX_REQUIRED,
                required.len()
            );
        }
        let container = call.expr("container")?;
        let value = match call.expr("value")? {
            Some(value) => Some(value),
            None => call.column("revenue"),
        };
        let value = value.map(|value| amount(call, "value", value)).transpose()?;
        let cost = match wanted.cost {
            true => call.expr("cost")?.map(|cost| amount(call, "cost", cost)).transpose()?,
            false => None,
        };
        let event_id = match wanted.event_id {
            true => call.expr("event_id")?.or_else(|| call.column("event_id")),
            false => None,
        };
        let event_id = event_id.map(|id| id.cast_to(&TEXT, call.schema())).transpose()?;
        let layout = Layout {
            function,
            models,
            count: call.choice("count", &Count::NAMES)?.unwrap_or_default(),
            ties,
            cut_at_conversion: call.boolean("cut_at_conversion")?.unwrap_or(false),
            lookback_touches: touches,
            required: required.len(),
            has_sequence: sequence.is_some(),
            has_container: container.is_some(),
            has_session: session.is_some(),
            has_value: value.is_some(),
            has_cost: cost.is_some(),
            has_event_id: event_id.is_some(),
        };
        let null = || lit(ScalarValue::Null);
        let mut arguments = vec![
            ts.clone(),
            length.unwrap_or_else(null),
            half_life.unwrap_or_else(null),
            session_gap.unwrap_or_else(null),
            key,
        ];
        arguments.extend([sequence, container, session, value, cost, event_id].into_iter().flatten());
        for condition in conditions.into_iter().chain(required.into_iter().map(|condition| condition.expr)) {
            // NULL alone has a type of its own.
            arguments.push(condition.cast_to(&DataType::Boolean, call.schema())?);
        }
        Ok(Self { layout, person: call.person()?, ts, ts_type, arguments })
    }

    /// The data without rows of nobody.
    pub(in crate::table) fn data(&self, call: &TableCall<'_>) -> Result<LogicalPlanBuilder> {
        LogicalPlanBuilder::from(call.input().clone()).filter(self.person.clone().is_not_null())
    }
}

/// An amount of money.
pub(in crate::table) fn amount(call: &TableCall<'_>, name: &str, amount: Expr) -> Result<Expr> {
    let given = call.type_of(&amount)?;
    amount.cast_to(&money_type(call.function(), name, &given)?, call.schema())
}

/// Conversion, touch, optional, direct, expires, excluded.
fn conditions(call: &mut TableCall<'_>, key: &Expr, has_direct: bool) -> Result<Vec<Expr>> {
    let conversion = match call.condition("conversion")? {
        Some(condition) => condition.expr,
        None => call.expr_or_column("event", "event")?.eq(lit("purchase")),
    };
    let touch = call.condition("touch")?.map_or(lit(true), |condition| condition.expr);
    let mut others = Vec::with_capacity(4);
    for name in ["optional_touch", "direct", "expire_if", "exclude"] {
        let given = call.condition(name)?;
        let condition = match (name, given) {
            ("direct", Some(_)) if !has_direct => {
                return plan_err!("{}: argument direct is for model 'last_non_direct'", call.function());
            }
            ("direct", None) if has_direct => {
                let lower = datafusion::functions::string::expr_fn::lower(key.clone());
                lower.in_list(DIRECT.iter().map(|name| lit(*name)).collect(), false)
            }
            (_, Some(condition)) => condition.expr,
            (_, None) => lit(false),
        };
        others.push(condition);
    }
    Ok([conversion, touch].into_iter().chain(others).collect())
}
