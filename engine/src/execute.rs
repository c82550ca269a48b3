//! From a plan to a stream of batches, within what one query may take.

use std::sync::Arc;

use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SessionContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{CreateMemoryTable, DdlStatement, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::execute_stream;

use crate::config::EngineConfig;
use crate::deep::Planning;
use crate::error::Result;
use crate::query_memory;
use crate::temporary::TemporaryTables;

/// Runs the plans of one session.
#[derive(Debug)]
pub(crate) struct Executor {
    runtime: Arc<RuntimeEnv>,
    temporary: TemporaryTables,
    query_memory_bytes: usize,
    max_result_rows: Option<u64>,
}

impl Executor {
    pub(crate) fn new(runtime: Arc<RuntimeEnv>, config: &EngineConfig) -> Self {
        let query_memory_bytes = config.query_memory_bytes();
        Self {
            runtime,
            temporary: TemporaryTables::new(query_memory_bytes),
            query_memory_bytes,
            max_result_rows: config.max_result_rows,
        }
    }

    /// See [`crate::Session::execute`]. Rows of a new table are collected by the caller: no thread for planning waits
    /// for them.
    pub(crate) async fn run(
        &self,
        planning: &Planning,
        context: &Arc<SessionContext>,
        plan: LogicalPlan,
    ) -> Result<SendableRecordBatchStream> {
        let runtime = query_memory::for_one_query(&self.runtime, self.query_memory_bytes);
        let dropped = match &plan {
            LogicalPlan::Ddl(DdlStatement::DropTable(drop)) => Some(drop.name.clone()),
            _ => None,
        };
        let begin = begin(Arc::clone(context), plan, Arc::clone(&runtime));
        let (create, rows) = match planning.run(begin).await?? {
            Begun::Rows(rows) => {
                if let Some(name) = dropped {
                    self.temporary.forget(&name);
                }
                return Ok(match self.max_result_rows {
                    Some(most) => query_memory::with_row_limit(rows, most),
                    None => rows,
                });
            }
            Begun::Table(create, rows) => (create, rows),
        };
        let pool = Arc::clone(&runtime.memory_pool);
        let (create, reservation) = self.temporary.collect(&create, rows, &pool).await?;
        let name = create.name.clone();
        let created = LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create));
        let answer = planning.run(start(Arc::clone(context), created, runtime)).await??;
        self.temporary.keep(name, reservation);
        Ok(answer)
    }
}

/// A plan that has begun to run.
enum Begun {
    Rows(SendableRecordBatchStream),
    /// A new table, without its query, and the rows of that.
    Table(CreateMemoryTable, SendableRecordBatchStream),
}

async fn begin(
    context: Arc<SessionContext>,
    plan: LogicalPlan,
    runtime: Arc<RuntimeEnv>,
) -> std::result::Result<Begun, DataFusionError> {
    match plan {
        LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create)) => {
            let nothing = Arc::new(LogicalPlanBuilder::empty(false).build()?);
            let rows = start(context, LogicalPlan::clone(&create.input), runtime).await?;
            Ok(Begun::Table(CreateMemoryTable { input: nothing, ..create }, rows))
        }
        other => Ok(Begun::Rows(start(context, other, runtime).await?)),
    }
}

async fn start(
    context: Arc<SessionContext>,
    plan: LogicalPlan,
    runtime: Arc<RuntimeEnv>,
) -> std::result::Result<SendableRecordBatchStream, DataFusionError> {
    let frame = context.execute_logical_plan(plan).await?;
    let task = Arc::new(frame.task_ctx().with_runtime(runtime));
    let physical = frame.create_physical_plan().await?;
    execute_stream(physical, task)
}
