//! Functions about sessions: the schemas of one's own path, and signals to others.

use std::sync::Arc;

use datafusion::arrow::array::{AsArray, BooleanArray, StringArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::Identity;
use crate::error::{Refusal, error_info, sqlstate};
use crate::wire::types::{marked_field, typed_field};
use crate::wire::{Signalled, lock};

/// Schemas that exist in every session.
const SCHEMAS: [&str; 4] = ["public", "journey", "pg_catalog", "information_schema"];

/// All functions for the session of `identity`.
pub(crate) fn all(identity: &Identity) -> Vec<ScalarUDF> {
    let function = |kind, arguments: Vec<DataType>| {
        ScalarUDF::from(SessionFunction {
            kind,
            signature: Signature::exact(arguments, Volatility::Stable),
            identity: identity.clone(),
        })
    };
    vec![
        function(Kind::CurrentSchema, Vec::new()),
        function(Kind::CurrentSchemas, vec![DataType::Boolean]),
        function(Kind::Cancel, vec![DataType::Int64]),
        function(Kind::Terminate, vec![DataType::Int64]),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// The schema in which tables are created; NULL if the path has none.
    CurrentSchema,
    /// The schemas of the path that exist; with the implicit one if the argument is true.
    CurrentSchemas,
    /// Cancels the statement of the session of this process id; false if there is no such session.
    Cancel,
    /// Ends the session of this process id; false if there is none.
    Terminate,
}

#[derive(Debug)]
struct SessionFunction {
    kind: Kind,
    signature: Signature,
    identity: Identity,
}

// Two sessions never share a function, so the session is the identity of the function.
impl PartialEq for SessionFunction {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && Arc::ptr_eq(&self.identity.state, &other.identity.state)
    }
}

impl Eq for SessionFunction {}

impl std::hash::Hash for SessionFunction {
    fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
        self.kind.hash(hasher);
        self.identity.pid.hash(hasher);
    }
}

impl SessionFunction {
    fn path(&self) -> Vec<String> {
        let mut path = lock(&self.identity.state).settings.search_path();
        path.retain(|schema| SCHEMAS.contains(&schema.as_str()));
        path
    }

    fn signal(&self, pid: i64, terminate: bool) -> Result<bool> {
        let found = i32::try_from(pid).map_or(Signalled::NoSuchSession, |pid| {
            let Identity { user, administers, .. } = &self.identity;
            self.identity.cancels.signal(pid, user, *administers, terminate)
        });
        match found {
            Signalled::Yes => Ok(true),
            Signalled::NoSuchSession => Ok(false),
            Signalled::NotAllowed => {
                let what = if terminate { "terminate process" } else { "cancel query" };
                let mut info =
                    error_info(sqlstate::INSUFFICIENT_PRIVILEGE, format!("permission denied to {what}"));
                info.detail = Some("Only an admin can signal sessions of other users.".to_owned());
                Err(Refusal(Box::new(info)).into())
            }
        }
    }
}

impl ScalarUDFImpl for SessionFunction {
    fn name(&self) -> &str {
        match self.kind {
            Kind::CurrentSchema => "current_schema",
            Kind::CurrentSchemas => "current_schemas",
            Kind::Cancel => "pg_cancel_backend",
            Kind::Terminate => "pg_terminate_backend",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(match self.kind {
            Kind::CurrentSchema => DataType::Utf8,
            Kind::CurrentSchemas => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
            Kind::Cancel | Kind::Terminate => DataType::Boolean,
        })
    }

    fn return_field_from_args(&self, _arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let data_type = self.return_type(&[])?;
        Ok(Arc::new(match self.kind {
            Kind::CurrentSchema => typed_field(self.name(), "name", true),
            Kind::CurrentSchemas => marked_field(self.name(), data_type, "_name", true),
            Kind::Cancel | Kind::Terminate => Field::new(self.name(), data_type, true),
        }))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match self.kind {
            Kind::CurrentSchema => {
                Ok(ColumnarValue::Scalar(ScalarValue::Utf8(self.path().into_iter().next())))
            }
            Kind::CurrentSchemas => {
                let implicit = matches!(
                    arguments.args.first(),
                    Some(ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))))
                );
                let mut path = self.path();
                if implicit && !path.iter().any(|schema| schema == "pg_catalog") {
                    path.insert(0, "pg_catalog".to_owned());
                }
                let list =
                    SingleRowListArrayBuilder::new(Arc::new(StringArray::from(path))).build_list_scalar();
                Ok(ColumnarValue::Scalar(list))
            }
            Kind::Cancel | Kind::Terminate => {
                let arrays = ColumnarValue::values_to_arrays(&arguments.args)?;
                let pids = arrays[0].as_primitive::<Int64Type>();
                let signal = |pid: Option<i64>| match pid {
                    Some(pid) => self.signal(pid, self.kind == Kind::Terminate).map(Some),
                    None => Ok(None),
                };
                let signalled: Result<Vec<Option<bool>>> = pids.iter().map(signal).collect();
                Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(signalled?))))
            }
        }
    }
}
