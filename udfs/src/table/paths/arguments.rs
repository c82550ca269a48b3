//! The arguments that all functions of paths share.

use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::functions::regex::regexp_replace;
use datafusion::logical_expr::conditional_expressions::CaseBuilder;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlanBuilder, lit, when};

use super::centre;
use crate::aggregate::paths::{GraphKind, Layout, WantedFigures, path_graph};
use crate::arguments::{LengthArgument, is_text};
use crate::journey::paths::{Direction, FunnelPart, PatternCentre};
use crate::length::ticks_per_second;
use crate::table::TableCall;
use crate::table::groups::unnested_groups;

/// Names of the shared arguments, behind those of a function's own.
pub(super) const SHARED: [&str; 16] = [
    "node",
    "per",
    "gap",
    "conversion",
    "value",
    "weight",
    "collapse",
    "clean",
    "groups",
    "exclude",
    "by",
    "compare_by",
    "user_id",
    "ts",
    "sequence",
    "event",
];

/// Column of the lists of figures.
pub(super) const FIGURES: &str = "__figures";
const PERSON: &str = "__person";
const DEFAULT_GAP_NANOS: i64 = 30 * 60 * 1_000_000_000;

/// What a call says.
#[derive(Debug)]
pub(super) struct PathArguments {
    person: Expr,
    ts: Expr,
    ts_type: DataType,
    gap: Expr,
    node: Expr,
    start: Option<Expr>,
    end: Option<Expr>,
    conversion: Option<Expr>,
    centre: Option<Expr>,
    value: Option<Expr>,
    weight: Option<Expr>,
    by: Option<Expr>,
    /// Type of `by` as it was given.
    pub(super) by_type: Option<DataType>,
    /// Whether `by` are two segments to compare.
    pub(super) compares: bool,
    unit: Option<Expr>,
    sequence: Option<Expr>,
    collapse: bool,
    pub(super) depth: Option<usize>,
    pub(super) direction: Direction,
    /// Which part of a funnel, and its steps.
    funnel: Option<(FunnelPart, Vec<Expr>)>,
    /// The pattern that gives the centre, and its conditions.
    pattern: Option<(PatternCentre, Vec<Expr>)>,
}

impl PathArguments {
    /// Reads the shared arguments, and those of single functions (`start`, `end`, `depth`, `direction`, `center`, `pattern`
    /// and what goes with it) where they are given.
    pub(super) fn read(call: &mut TableCall<'_>) -> Result<Self> {
        let ts = call.ts()?;
        let given = call.type_of(&ts)?;
        let per = Per::read(call, &given)?;
        Self::with(call, per)
    }

    /// Reads them for the part of each person's rows that lies between the steps of a funnel.
    pub(super) fn of_funnel(
        call: &mut TableCall<'_>,
        part: FunnelPart,
        steps: Vec<Expr>,
        within: Expr,
    ) -> Result<Self> {
        let person = call.expr_or_column("user_id", "user_id")?;
        let mut arguments = Self::with(call, Per { person, gap: within, unit: None })?;
        arguments.funnel = Some((part, steps));
        Ok(arguments)
    }

    fn with(call: &mut TableCall<'_>, per: Per) -> Result<Self> {
        let function = call.function();
        let ts = call.ts()?;
        let given = call.type_of(&ts)?;
        let [ts_type, _] = LengthArgument { function, name: "gap" }.coerce(&given, &DataType::Null)?;
        let ts = ts.cast_to(&ts_type, call.schema())?;
        let node = node(call)?;
        let excluded = node_conditions(call, "exclude", &node)?.into_iter().reduce(Expr::or);
        let start = one_condition(call, "start", &node)?;
        let end = one_condition(call, "end", &node)?;
        let centre = one_condition(call, "center", &node)?;
        let pattern = centre::read(call, &node, &ts_type)?;
        if centre.is_some() && pattern.is_some() {
            return plan_err!("{function}: arguments center and pattern do not go together; leave one out");
        }
        let node = match excluded {
            Some(excluded) => {
                let none = lit(ScalarValue::Utf8View(None));
                when(excluded.is_true(), none).otherwise(node)?
            }
            None => node,
        };
        let compares = call.is_given("compare_by");
        if compares && call.is_given("by") {
            return plan_err!("{function}: arguments by and compare_by do not go together; leave one out");
        }
        let by = call.expr(if compares { "compare_by" } else { "by" })?;
        let by_type = by.as_ref().map(|by| call.type_of(by)).transpose()?;
        let by = by.map(|by| by.cast_to(&DataType::Utf8View, call.schema())).transpose()?;
        let depth = call.integer("depth", 1..=1_000_000)?;
        Ok(Self {
            person: per.person,
            ts,
            ts_type,
            gap: per.gap,
            node,
            start,
            end,
            conversion: boolean(call, "conversion")?,
            centre,
            value: value(call)?,
            weight: weight(call)?,
            by,
            by_type,
            compares,
            unit: per.unit,
            // Not by default: it would be read for all rows, and nodes order the few that share an instant.
            sequence: call.expr("sequence")?,
            collapse: call.boolean("collapse")?.unwrap_or(false),
            depth: depth.and_then(|depth| usize::try_from(depth).ok()),
            direction: call.choice("direction", &Direction::NAMES)?.unwrap_or_default(),
            funnel: None,
            pattern,
        })
    }

    pub(super) fn ticks_per_second(&self) -> i64 {
        ticks_per_second(&self.ts_type)
    }

    /// Whether paths are laid on one another at a centre.
    pub(super) fn is_centred(&self) -> bool {
        self.centre.is_some() || self.pattern.is_some()
    }

    pub(super) fn has_conversion(&self) -> bool {
        self.conversion.is_some()
    }

    pub(super) fn has_value(&self) -> bool {
        self.value.is_some()
    }

    /// One row for each figure of `kind`, in column [`FIGURES`]; see [`path_graph`].
    pub(super) fn figures(self, call: &TableCall<'_>, kind: GraphKind) -> Result<LogicalPlanBuilder> {
        let layout = Layout {
            function: call.function(),
            kind,
            collapse: self.collapse,
            depth: self.depth,
            direction: self.direction,
            has_start: self.start.is_some(),
            has_end: self.end.is_some(),
            has_conversion: self.conversion.is_some(),
            has_centre: self.centre.is_some(),
            has_value: self.value.is_some(),
            has_weight: self.weight.is_some(),
            has_segment: self.by.is_some(),
            has_unit: self.unit.is_some(),
            has_sequence: self.sequence.is_some(),
            funnel: self.funnel.as_ref().map(|(part, _)| *part),
            pattern: self.pattern.as_ref().map(|(pattern, _)| pattern.clone()),
            wanted: WantedFigures::default(),
        };
        let mut rows =
            LogicalPlanBuilder::from(call.input().clone()).filter(self.person.clone().is_not_null())?;
        if let Some(unit) = &self.unit {
            rows = rows.filter(unit.clone().is_not_null())?;
        }
        let mut arguments = vec![self.ts, self.gap, self.node];
        let conditions = [self.start, self.end, self.conversion, self.centre];
        arguments.extend(conditions.into_iter().flatten());
        arguments.extend(self.funnel.into_iter().flat_map(|(_, steps)| steps));
        arguments.extend(self.pattern.into_iter().flat_map(|(_, conditions)| conditions));
        let others = [self.value, self.weight, self.by, self.unit, self.sequence];
        arguments.extend(others.into_iter().flatten());
        let graph = path_graph(layout, arguments).alias(FIGURES);
        unnested_groups(rows, vec![self.person.alias(PERSON)], graph, FIGURES)
    }
}

/// Within what paths are formed.
struct Per {
    person: Expr,
    gap: Expr,
    unit: Option<Expr>,
}

impl Per {
    fn read(call: &mut TableCall<'_>, ts: &DataType) -> Result<Self> {
        let function = call.function();
        let none = || lit(ScalarValue::Null);
        let word = match call.word("per") {
            None if !call.is_given("per") => Some("session".to_owned()),
            word => word.map(str::to_ascii_lowercase),
        };
        if call.is_given("gap") && word.as_deref() != Some("session") {
            return plan_err!("{function}: argument gap is for per => 'session' only");
        }
        match word.as_deref() {
            Some("session") => {
                let gap = match call.length("gap", ts)? {
                    Some(gap) => gap,
                    None if ts.is_integer() => {
                        return plan_err!(
                            "{function}: gap is missing: ts is an integer, so there is no default; write gap => 1800, \
                             or per => 'person'"
                        );
                    }
                    None => lit(ScalarValue::new_interval_mdn(0, 0, DEFAULT_GAP_NANOS)),
                };
                Ok(Self { person: call.expr_or_column("user_id", "user_id")?, gap, unit: None })
            }
            Some("person") => {
                Ok(Self { person: call.expr_or_column("user_id", "user_id")?, gap: none(), unit: None })
            }
            Some(other) => plan_err!(
                "{function}: argument per must be 'session', 'person', or an expression such as a column with the \
                 number of an order, got '{other}'"
            ),
            None => {
                let unit = call.expr("per")?.unwrap_or_else(none);
                let person = call.expr("user_id")?.or_else(|| call.column("user_id"));
                Ok(match person {
                    Some(person) => Self { person, gap: none(), unit: Some(unit) },
                    None => Self { person: unit, gap: none(), unit: None },
                })
            }
        }
    }
}

/// The node as text: cleaned, then grouped.
fn node(call: &mut TableCall<'_>) -> Result<Expr> {
    let function = call.function();
    let mut node = call.expr_or_column("node", "event")?.cast_to(&DataType::Utf8View, call.schema())?;
    for (pattern, replacement) in call.text_pairs("clean")?.unwrap_or_default() {
        let arguments = |text: Expr| vec![text, lit(pattern.clone()), lit(replacement.clone()), lit("g")];
        // What cannot be computed for an empty text is no regular expression: found now, not in the middle of the data.
        if !matches!(call.folded("clean", regexp_replace().call(arguments(lit(""))))?, Expr::Literal(_, _)) {
            return plan_err!("{function}: argument clean: '{pattern}' is not a regular expression");
        }
        node = regexp_replace().call(arguments(node));
    }
    if let Some(groups) = call.texts("groups")? {
        let mut grouped: Option<CaseBuilder> = None;
        for group in groups {
            if group.is_empty() {
                return plan_err!(
                    "{function}: argument groups holds an empty text; give patterns such as '/item/*'"
                );
            }
            let pattern =
                group.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_").replace('*', "%");
            let is_in = node.clone().like(lit(pattern));
            grouped = Some(match grouped {
                None => when(is_in, lit(group)),
                Some(mut cases) => cases.when(is_in, lit(group)),
            });
        }
        if let Some(mut cases) = grouped {
            node = cases.otherwise(node)?;
        }
    }
    node.cast_to(&DataType::Utf8View, call.schema())
}

/// Conditions; a text in quotes is the name of a node.
fn node_conditions(call: &mut TableCall<'_>, name: &str, node: &Expr) -> Result<Vec<Expr>> {
    let given = call.expr_list(name)?.unwrap_or_default();
    given.into_iter().map(|expr| node_condition(call, name, node, expr)).collect()
}

pub(super) fn node_condition(call: &TableCall<'_>, name: &str, node: &Expr, given: Expr) -> Result<Expr> {
    if let Expr::Literal(value, _) = &given
        && is_text(&value.data_type())
    {
        return Ok(node.clone().eq(given));
    }
    match call.type_of(&given)? {
        DataType::Boolean => Ok(given),
        DataType::Null => Ok(lit(false)),
        other => plan_err!(
            "{}: argument {name}: {given} must be a condition or the name of a node in quotes, got {other}",
            call.function()
        ),
    }
}

fn one_condition(call: &mut TableCall<'_>, name: &str, node: &Expr) -> Result<Option<Expr>> {
    // Several are one of them.
    Ok(node_conditions(call, name, node)?.into_iter().reduce(Expr::or))
}

fn boolean(call: &mut TableCall<'_>, name: &str) -> Result<Option<Expr>> {
    let Some(condition) = call.condition(name)? else {
        return Ok(None);
    };
    Ok(Some(match call.type_of(&condition.expr)? {
        DataType::Null => lit(ScalarValue::Boolean(None)),
        _ => condition.expr,
    }))
}

fn value(call: &mut TableCall<'_>) -> Result<Option<Expr>> {
    let Some(value) = call.expr("value")? else {
        return Ok(None);
    };
    let wanted = match call.type_of(&value)? {
        DataType::Decimal128(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal32(precision, scale) => DataType::Decimal128(precision, scale),
        given if given.is_integer() => DataType::Decimal128(20, 0),
        other => {
            return plan_err!(
                "{}: argument value must be a DECIMAL or an integer, which add up exactly, got {other}; \
                 cast it, as in value => revenue::decimal(18, 4)",
                call.function()
            );
        }
    };
    value.cast_to(&wanted, call.schema()).map(Some)
}

fn weight(call: &mut TableCall<'_>) -> Result<Option<Expr>> {
    let Some(weight) = call.expr("weight")? else {
        return Ok(None);
    };
    match call.type_of(&weight)? {
        given if given.is_integer() => weight.cast_to(&DataType::Int64, call.schema()).map(Some),
        other => plan_err!("{}: argument weight must be an integer, got {other}", call.function()),
    }
}
