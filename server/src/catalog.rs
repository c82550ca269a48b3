//! PostgreSQL's system catalog over a session: schemas `pg_catalog` and `information_schema`, and the functions that
//! clients ask about them.
//!
//! Columns are those of PostgreSQL ([`layout`]). What every database of PostgreSQL has (types, functions, operators) is
//! that of datafusion-pg-catalog, one copy for the whole server. Everything else is made from what the engine says that
//! a session can name ([`objects`]): a statement that mentions a catalog looks at it anew before it is planned.

mod arrays;
mod bits;
mod builtin;
mod functions;
mod information;
mod layout;
mod lookups;
mod objects;
mod pg_functions;
mod pg_objects;
mod pg_server;
pub(crate) mod reg;
pub(crate) mod row_function;
mod rows;
mod schema;
mod session_functions;
mod signatures;
mod system_columns;
mod zones;

use std::sync::{Arc, Mutex};

use datafusion::catalog::TableFunctionImpl;
use datafusion::common::DataFusionError;
use datafusion::execution::context::SessionContext;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion_pg_catalog::pg_catalog::generate_series_arg_coercion::CoerceIntArgsToBigInt;
use datafusion_pg_catalog::pg_catalog::oid_type_planner::PgOidTypePlanner;
use datafusion_pg_catalog::pg_catalog::{
    PgCatalogStaticTables, array_bounds_udf, create_pg_get_partition_ancestors_udf, format_type,
    quote_ident_udf,
};
use wayfare_engine::catalog::provider::CATALOG;
use wayfare_engine::{GuardedOperands, Session};

use crate::postgres::float_digits::FloatCasts;
use crate::postgres::float_operators::FloatOperators;
use crate::postgres::mixed_numbers::MixedNumbers;
use crate::postgres::text_casts::{self, TextCasts};
use crate::postgres::{self, quotients};
use crate::wire::{CancelRegistry, SessionState};
pub(crate) use bits::{TO_BITS, TO_CHAR_TYPE};
use builtin::Builtin;
pub(crate) use objects::relation_oid;
use objects::{CatalogView, INFORMATION_SCHEMA, PG_CATALOG};
use pg_functions::Function;
use reg::{FunctionNames, RegNames, RegText};
use schema::{Sources, SystemSchema};
use signatures::Signatures;
pub(crate) use system_columns::{SYSTEM_TID, SYSTEM_XID, TABLE_OID, catalog_table};

/// Owner of everything that the store holds.
pub(crate) const OWNER: &str = "wayfare";

/// The part of the catalog that all sessions share.
#[derive(Debug)]
pub(crate) struct CatalogTemplate {
    builtin: Builtin,
    keywords: Arc<dyn TableFunctionImpl>,
    functions: Vec<Function>,
    function_names: FunctionNames,
    signatures: Signatures,
}

/// Whose session it is, as the catalog's functions tell it.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub user: String,
    /// Whether it may end what others run.
    pub administers: bool,
    pub pid: i32,
    pub state: Arc<Mutex<SessionState>>,
    pub cancels: Arc<CancelRegistry>,
}

impl CatalogTemplate {
    /// Reads the static tables, and the functions of a session of the engine.
    ///
    /// # Errors
    /// The tables in the binary are damaged.
    pub(crate) fn new(session: &Session) -> Result<Self, DataFusionError> {
        let tables = PgCatalogStaticTables::try_new()?;
        let known = pg_functions::names_of(tables.pg_proc.data());
        let function_names = FunctionNames::new(tables.pg_proc.data());
        let builtin = Builtin::new(&tables, &function_names)?;
        Ok(Self {
            signatures: Signatures::new(&builtin),
            functions: pg_functions::list(session.context(), &known),
            builtin,
            keywords: Arc::clone(&tables.pg_get_keywords) as _,
            function_names,
        })
    }

    /// Gives the session behind `context` its catalog.
    ///
    /// # Errors
    /// The session has no catalog of the engine's name.
    pub(crate) fn install(
        self: &Arc<Self>,
        context: &SessionContext,
        identity: &Identity,
    ) -> Result<(), DataFusionError> {
        let sources = Sources {
            view: Arc::new(CatalogView::default()),
            identity: identity.clone(),
            template: Arc::clone(self),
        };
        let catalog = context
            .catalog(CATALOG)
            .ok_or_else(|| DataFusionError::Internal(format!("the session has no catalog {CATALOG:?}")))?;
        for name in [PG_CATALOG, INFORMATION_SCHEMA] {
            let list = Arc::clone(context.state().catalog_list());
            catalog.register_schema(name, Arc::new(SystemSchema::new(name, sources.clone(), list)))?;
        }

        for function in [
            format_type::create_format_type_udf(),
            create_pg_get_partition_ancestors_udf(),
            quote_ident_udf::create_quote_ident_udf(),
            quote_ident_udf::create_parse_ident_udf(),
            array_bounds_udf::create_array_upper_udf(),
            array_bounds_udf::create_array_lower_udf(),
        ] {
            context.register_udf(function);
        }
        let reg_functions = reg::all(&sources);
        let to_text = RegText::new(&reg_functions);
        let functions = functions::all(identity).into_iter();
        let functions = functions.chain(session_functions::all(identity)).chain(lookups::all(&sources));
        let functions = functions.chain(system_columns::all()).chain(arrays::all()).chain(bits::all());
        for function in functions.chain(reg_functions) {
            context.register_udf(function);
        }
        postgres::register_all(&mut context.clone())?;
        context.register_udf(text_casts::function(Arc::clone(&identity.state)));
        context.register_udtf("pg_get_keywords", Arc::clone(&self.keywords));

        let state = context.state_ref();
        let mut builder = SessionStateBuilder::new_from_existing(state.read().clone())
            // Makes `::regclass`, `::pg_catalog.text` and their like known to the planner.
            .with_type_planner(Arc::new(PgOidTypePlanner))
            .with_analyzer_rule(Arc::new(GuardedOperands::with_functions(&[(quotients::NAME, 1)])));
        if let Some(rule) = to_text {
            builder = builder.with_analyzer_rule(Arc::new(rule));
        }
        // Behind the one for identifiers, which are numbers here.
        builder = builder
            .with_analyzer_rule(Arc::new(TextCasts::new(Arc::clone(&identity.state))))
            .with_analyzer_rule(Arc::new(FloatCasts))
            .with_analyzer_rule(Arc::new(FloatOperators));
        if let Some(analyzer) = builder.analyzer() {
            let coercion = analyzer.rules.iter().position(|rule| rule.name() == "type_coercion");
            analyzer.rules.insert(coercion.unwrap_or(analyzer.rules.len()), Arc::new(MixedNumbers));
        }
        let mut with_catalog = builder.build();
        // DataFusion's own schema of this name would stand before ours.
        with_catalog.config_mut().options_mut().catalog.information_schema = false;
        // `0.1 + 0.2` is 0.3: literals with a point are exact.
        with_catalog.config_mut().options_mut().sql_parser.parse_float_as_decimal = true;
        with_catalog.config_mut().set_extension(Arc::new(sources));
        *state.write() = with_catalog;
        CoerceIntArgsToBigInt::widen(context);
        Ok(())
    }
}

/// Looks at what `session` can name, for a statement that asks the catalog about it.
///
/// # Errors
/// The store cannot be read.
pub(crate) async fn refresh(session: &Session) -> wayfare_engine::Result<()> {
    let sources = session.state().config().get_extension::<Sources>();
    match sources {
        Some(sources) => sources.view.refresh(session).await,
        None => Ok(()),
    }
}

/// Names of the objects that [`refresh`] saw last; `None` for a session without a catalog.
pub(crate) fn names(session: &Session) -> Option<RegNames> {
    session.state().config().get_extension::<Sources>().map(|sources| RegNames::new(&sources))
}
