//! Casts to types that the engine has no type for become calls of functions.
//!
//! `'t'::regclass` is `regclass('t')`, `x::uuid` is `uuid(x)`: the function checks the value, writes it in the type's own
//! form and marks its result with the type, which a cast could not.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CastKind, CharacterLength, DataType as SqlType, ExactNumberInfo, Expr, Function,
    FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Ident, ObjectName, Statement,
    TimezoneInfo, TypedString, UnaryOperator, Value, VisitMut, VisitorMut,
};

use super::{numbers, varchar};
use crate::catalog::reg::REG_TYPES;
use crate::wire::array_text;

/// Makes the casts of `statement` into calls.
pub(super) fn to_functions(statement: &mut Statement) {
    let _ = VisitMut::visit(statement, &mut Casts);
    varchar::mark(statement);
}

/// Of a `varchar`: its length, if it has one.
pub(super) fn varying(data_type: &SqlType) -> Option<Option<u64>> {
    let length = match data_type {
        SqlType::Varchar(length)
        | SqlType::CharacterVarying(length)
        | SqlType::CharVarying(length)
        | SqlType::Nvarchar(length) => length,
        _ => return None,
    };
    Some(match length {
        Some(CharacterLength::IntegerLength { length, .. }) => Some(*length),
        _ => None,
    })
}

/// A cast to a type of text with a length, or to one of numbers or times, that a function does; `None` for any other.
fn sized(operand: &Expr, data_type: &SqlType) -> Option<Expr> {
    let text = || Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(operand.clone()),
        data_type: SqlType::Text,
        array: false,
        format: None,
    };
    let with_length = |name, length: u64| {
        let length = Expr::Value(Value::Number(length.to_string(), false).with_empty_span());
        call(name, vec![text(), length])
    };
    if let Some(Some(length)) = varying(data_type) {
        return Some(with_length("varchar", length));
    }
    match data_type {
        SqlType::Char(length) | SqlType::Character(length) => Some(match length {
            Some(CharacterLength::IntegerLength { length, .. }) => with_length("bpchar", *length),
            _ => with_length("bpchar", 1),
        }),
        SqlType::Custom(name, modifiers) if name.0.len() == 1 => {
            let ident = name.0.last()?.as_ident()?;
            match (ident.value.as_str(), ident.quote_style, modifiers.as_slice()) {
                ("char", Some(_), []) => Some(call("pg_char", vec![text()])),
                (other, None, []) if other.eq_ignore_ascii_case("bpchar") => {
                    Some(call("bpchar", vec![text()]))
                }
                (other, None, []) if other.eq_ignore_ascii_case("timetz") => {
                    Some(call("timetz", vec![text()]))
                }
                _ => None,
            }
        }
        SqlType::Time(_, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone) => Some(call("timetz", vec![text()])),
        SqlType::Numeric(ExactNumberInfo::None)
        | SqlType::Decimal(ExactNumberInfo::None)
        | SqlType::Dec(ExactNumberInfo::None) => {
            Some(exact(operand).unwrap_or_else(|| call("numeric", vec![operand.clone()])))
        }
        SqlType::Array(ArrayElemTypeDef::SquareBracket(element, _)) => {
            let name = match element.as_ref() {
                SqlType::Uuid => "uuid_array",
                SqlType::JSON => "json_array",
                SqlType::JSONB => "jsonb_array",
                _ => return None,
            };
            let texts = SqlType::Array(ArrayElemTypeDef::SquareBracket(Box::new(SqlType::Text), None));
            let texts = Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(operand.clone()),
                data_type: texts,
                array: false,
                format: None,
            };
            Some(call(name, vec![texts]))
        }
        _ => None,
    }
}

/// A literal as a decimal with as many digits as it is written with.
fn exact(operand: &Expr) -> Option<Expr> {
    let Expr::Value(value) = operand else { return None };
    let text = match &value.value {
        Value::Number(number, _) => number.as_str(),
        Value::SingleQuotedString(text) => text.trim(),
        _ => return None,
    };
    let plain = numbers::plain(text)?;
    let (negative, digits) = match plain.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, plain.as_str()),
    };
    let number = Expr::Value(Value::Number(digits.to_owned(), false).with_empty_span());
    let scale = digits.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let precision = u64::try_from(digits.bytes().filter(u8::is_ascii_digit).count().max(1)).ok()?;
    let number = Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(number),
        data_type: SqlType::Numeric(ExactNumberInfo::PrecisionAndScale(
            precision,
            i64::try_from(scale).ok()?,
        )),
        array: false,
        format: None,
    };
    Some(match negative {
        true => Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(number) },
        false => number,
    })
}

struct Casts;

impl VisitorMut for Casts {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Cast { expr: operand, data_type, .. } = expr {
            nest(operand, data_type);
        }
        match expr {
            Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr: operand, data_type, .. } => {
                if let Some(name) = function_of(data_type) {
                    *expr = call(name, vec![operand.as_ref().clone()]);
                } else if let Some(sized) = sized(operand, data_type) {
                    *expr = sized;
                } else if matches!(data_type, SqlType::Text | SqlType::Varchar(None))
                    && gives_marked_text(operand)
                {
                    *expr = call("text", vec![operand.as_ref().clone()]);
                }
            }
            Expr::TypedString(TypedString { data_type, value, .. }) => {
                if let Some(name) = function_of(data_type) {
                    *expr = call(name, vec![Expr::Value(value.clone())]);
                } else if let Some(sized) = sized(&Expr::Value(value.clone()), data_type) {
                    *expr = sized;
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

/// Makes the type of an array that of the literal's dimensions: `int[]` is that of all arrays of integers, but the engine has
/// one for each number of dimensions.
fn nest(literal: &Expr, data_type: &mut SqlType) {
    let (Expr::Value(value), SqlType::Array(ArrayElemTypeDef::SquareBracket(..))) = (literal, &*data_type)
    else {
        return;
    };
    let Value::SingleQuotedString(text) = &value.value else { return };
    let Some(dimensions) = array_text::dimensions(text) else { return };
    let mut element = &*data_type;
    while let SqlType::Array(ArrayElemTypeDef::SquareBracket(inner, _)) = element {
        element = inner;
    }
    let array = |inner| SqlType::Array(ArrayElemTypeDef::SquareBracket(Box::new(inner), None));
    *data_type = (0..dimensions).fold(element.clone(), |inner, _| array(inner));
}

/// Whether `expr` is a call whose result is text with the mark of a type, which a cast to text would keep.
fn gives_marked_text(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => gives_marked_text(inner),
        Expr::Function(function) => {
            let name = function.name.to_string().to_ascii_lowercase();
            name.starts_with("json")
                || name.starts_with("to_json")
                || name == "uuid"
                || name == "gen_random_uuid"
        }
        _ => false,
    }
}

/// The function that casts to `data_type`; `None` if the engine has the type.
pub(super) fn function_of(data_type: &SqlType) -> Option<&'static str> {
    match data_type {
        SqlType::Regclass => Some("regclass"),
        SqlType::Uuid => Some("uuid"),
        SqlType::JSON => Some("json"),
        SqlType::JSONB => Some("jsonb"),
        SqlType::Custom(name, modifiers) if modifiers.is_empty() => {
            let parts: Vec<String> = name
                .0
                .iter()
                .filter_map(|part| part.as_ident())
                .map(|ident| ident.value.to_ascii_lowercase())
                .collect();
            let name = match parts.as_slice() {
                [name] => name,
                [schema, name] if schema == "pg_catalog" => name,
                _ => return None,
            };
            let casts = REG_TYPES.iter().chain(&["json", "jsonb", "uuid", "name"]);
            casts.copied().find(|known| known == name)
        }
        _ => None,
    }
}

/// A call of the function `name`.
pub(crate) fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments.into_iter().map(|argument| FunctionArg::Unnamed(FunctionArgExpr::Expr(argument)));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        args: FunctionArguments::List(FunctionArgumentList {
            args: args.collect(),
            duplicate_treatment: None,
            clauses: Vec::new(),
        }),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
