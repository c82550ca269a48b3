//! Functions about the session and the catalog that datafusion-pg-catalog lacks, or answers with constants.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};
use wayfare_engine::catalog::provider::CATALOG;

use super::Identity;
use super::row_function::returns;
use crate::error::Refusal;
use crate::wire::lock;
use crate::wire::settings::server_version;
use crate::wire::types::typed_field;

/// All functions for the session of `identity`.
pub(crate) fn all(identity: &Identity) -> Vec<ScalarUDF> {
    let text = |value: String| ScalarValue::Utf8(Some(value));
    let version = format!("PostgreSQL {}", server_version());
    let user = identity.user.clone();
    let yes = || ScalarValue::Boolean(Some(true));
    vec![
        constant("version", &[0], text(version)),
        constant("pg_backend_pid", &[0], ScalarValue::Int32(Some(identity.pid))),
        named_constant("session_user", user),
        named_constant("current_database", CATALOG.to_owned()),
        constant("pg_is_in_recovery", &[0], ScalarValue::Boolean(Some(false))),
        constant("pg_client_encoding", &[0], text("UTF8".to_owned())),
        constant("getdatabaseencoding", &[0], text("UTF8".to_owned())),
        constant("pg_my_temp_schema", &[0], ScalarValue::Int32(Some(0))),
        constant("pg_is_other_temp_schema", &[1], ScalarValue::Boolean(Some(false))),
        // One search path reaches everything.
        constant("pg_function_is_visible", &[1], yes()),
        constant("pg_relation_is_publishable", &[1], yes()),
        constant("pg_type_is_visible", &[1], yes()),
        constant("pg_opclass_is_visible", &[1], yes()),
        constant("pg_opfamily_is_visible", &[1], yes()),
        constant("pg_operator_is_visible", &[1], yes()),
        constant("pg_collation_is_visible", &[1], yes()),
        constant("pg_conversion_is_visible", &[1], yes()),
        constant("pg_statistics_obj_is_visible", &[1], yes()),
        constant("pg_ts_config_is_visible", &[1], yes()),
        // Transactions are not counted.
        constant("txid_current", &[0], ScalarValue::Int64(Some(3))),
        constant("pg_current_xact_id_if_assigned", &[0], ScalarValue::Utf8(None)),
        ScalarUDF::from(SizePretty::new()),
        ScalarUDF::from(CurrentSetting::new(identity)),
        ScalarUDF::from(SetConfig::new(identity)),
    ]
}

fn constant(name: &'static str, arguments: &[usize], value: ScalarValue) -> ScalarUDF {
    let signatures = arguments.iter().map(|count| match count {
        0 => TypeSignature::Nullary,
        count => TypeSignature::Any(*count),
    });
    ScalarUDF::from(Constant {
        name,
        signature: Signature::one_of(signatures.collect(), Volatility::Stable),
        result: returns(value.data_type()),
        value,
    })
}

/// A function without arguments whose value is of type `name`.
fn named_constant(name: &'static str, value: String) -> ScalarUDF {
    ScalarUDF::from(Constant {
        name,
        signature: Signature::nullary(Volatility::Stable),
        result: typed_field("result", "name", true),
        value: ScalarValue::Utf8(Some(value)),
    })
}

/// A function with one value for any arguments.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Constant {
    name: &'static str,
    signature: Signature,
    result: Field,
    value: ScalarValue,
}

impl ScalarUDFImpl for Constant {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.value.data_type())
    }

    fn return_field_from_args(&self, _arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(self.result.clone().with_name(self.name)))
    }

    fn invoke_with_args(&self, _arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(self.value.clone()))
    }
}

/// `pg_size_pretty(bytes)`: `8192 bytes`, `16 kB`, `3 MB`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct SizePretty {
    signature: Signature,
}

impl SizePretty {
    fn new() -> Self {
        Self { signature: Signature::exact(vec![DataType::Int64], Volatility::Immutable) }
    }
}

/// A size in the largest unit in which it is at least ten, rounded half away from zero.
fn pretty_size(bytes: i64) -> String {
    const LIMIT: i64 = 10 * 1024;
    let units = ["bytes", "kB", "MB", "GB", "TB", "PB"];
    if bytes.abs() < LIMIT {
        return format!("{bytes} bytes");
    }
    // One bit more than the unit, for rounding.
    let mut half_units = bytes >> 9;
    let mut unit = 1;
    while half_units.abs() >= 2 * LIMIT - 1 && unit + 1 < units.len() {
        half_units >>= 10;
        unit += 1;
    }
    let rounded = (half_units + if half_units > 0 { 1 } else { 0 }) / 2;
    format!("{rounded} {}", units[unit])
}

impl ScalarUDFImpl for SizePretty {
    fn name(&self) -> &str {
        "pg_size_pretty"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let sizes = arrays[0].as_primitive::<Int64Type>();
        let texts: StringArray = sizes.iter().map(|size| size.map(pretty_size)).collect();
        Ok(ColumnarValue::Array(Arc::new(texts)))
    }
}

/// `current_setting(name [, missing_ok])`: what `SHOW name` answers.
#[derive(Debug)]
struct CurrentSetting {
    signature: Signature,
    identity: Identity,
}

/// `set_config(name, value, is_local)`: `SET [LOCAL] name = value`, returns the value.
#[derive(Debug)]
struct SetConfig {
    signature: Signature,
    identity: Identity,
}

impl CurrentSetting {
    fn new(identity: &Identity) -> Self {
        let signatures = vec![
            TypeSignature::Exact(vec![DataType::Utf8]),
            TypeSignature::Exact(vec![DataType::Utf8, DataType::Boolean]),
        ];
        Self { signature: Signature::one_of(signatures, Volatility::Volatile), identity: identity.clone() }
    }
}

impl SetConfig {
    fn new(identity: &Identity) -> Self {
        let arguments = vec![DataType::Utf8, DataType::Utf8, DataType::Boolean];
        Self { signature: Signature::exact(arguments, Volatility::Volatile), identity: identity.clone() }
    }
}

// Two sessions never share a function, so the session is the identity of the function.
macro_rules! identified_by_session {
    ($($name:ident),*) => {$(
        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                Arc::ptr_eq(&self.identity.state, &other.identity.state)
            }
        }
        impl Eq for $name {}
        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
                self.identity.pid.hash(hasher);
            }
        }
    )*};
}
identified_by_session!(CurrentSetting, SetConfig);

impl ScalarUDFImpl for CurrentSetting {
    fn name(&self) -> &str {
        "current_setting"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let missing_ok = match arrays.get(1) {
            Some(array) => Some(as_boolean_array(array)?),
            None => None,
        };
        let state = lock(&self.identity.state);
        let mut values = Vec::with_capacity(arrays[0].len());
        for (row, name) in arrays[0].as_string::<i32>().iter().enumerate() {
            values.push(match name {
                None => None,
                Some(name) => match state.settings.show(name) {
                    Ok(value) => Some(value),
                    Err(_) if missing_ok.is_some_and(|ok| ok.is_valid(row) && ok.value(row)) => None,
                    Err(info) => return Err(Refusal(info).into()),
                },
            });
        }
        Ok(ColumnarValue::Array(Arc::new(StringArray::from(values))))
    }
}

impl ScalarUDFImpl for SetConfig {
    fn name(&self) -> &str {
        "set_config"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
        let names = arrays[0].as_string::<i32>();
        let new_values = arrays[1].as_string::<i32>();
        let is_local = as_boolean_array(&arrays[2])?;
        let mut state = lock(&self.identity.state);
        let mut values = Vec::with_capacity(names.len());
        for (row, (name, value)) in names.iter().zip(new_values).enumerate() {
            let Some(name) = name else {
                return exec_err!("SET requires parameter name");
            };
            let local = is_local.is_valid(row) && is_local.value(row);
            state.set(name, value, local).map_err(|failure| Refusal(Box::new(failure.into())))?;
            values.push(state.settings.show(name).map_err(Refusal)?);
        }
        Ok(ColumnarValue::Array(Arc::new(StringArray::from(values))))
    }
}

#[cfg(test)]
mod tests {
    use super::pretty_size;

    #[test]
    fn sizes_are_those_of_postgres() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (10_239, "10239 bytes"),
            (10_240, "10 kB"),
            (1_048_576, "1024 kB"),
            (10_485_760, "10 MB"),
            (1 << 40, "1024 GB"),
        ] {
            assert_eq!(pretty_size(bytes), text);
        }
    }
}
