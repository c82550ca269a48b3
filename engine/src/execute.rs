//! From a plan to a stream of batches, within what one query may take.

use std::sync::Arc;

use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SessionContext;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::physical_plan::execute_stream;

use crate::config::EngineConfig;
use crate::deep::Planning;
use crate::error::Result;
use crate::query_memory;
use crate::temporary::{self, TemporaryTables};

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
        let Some(create) = temporary::creation(&plan) else {
            let dropped = match &plan {
                LogicalPlan::Ddl(DdlStatement::DropTable(drop)) => Some(drop.name.clone()),
                _ => None,
            };
            let rows = start(planning, context, plan, runtime).await?;
            if let Some(name) = dropped {
                self.temporary.forget(&name);
            }
            return Ok(match self.max_result_rows {
                Some(most) => query_memory::with_row_limit(rows, most),
                None => rows,
            });
        };
        let pool = Arc::clone(&runtime.memory_pool);
        let input = LogicalPlan::clone(&create.input);
        let rows = start(planning, context, input, Arc::clone(&runtime)).await?;
        let (create, reservation) = self.temporary.collect(create, rows, &pool).await?;
        let name = create.name.clone();
        let created = LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(create));
        let answer = start(planning, context, created, runtime).await?;
        self.temporary.keep(name, reservation);
        Ok(answer)
    }
}

async fn start(
    planning: &Planning,
    context: &Arc<SessionContext>,
    plan: LogicalPlan,
    runtime: Arc<RuntimeEnv>,
) -> Result<SendableRecordBatchStream> {
    let context = Arc::clone(context);
    let started = async move {
        let frame = context.execute_logical_plan(plan).await?;
        let task = Arc::new(frame.task_ctx().with_runtime(runtime));
        let physical = frame.create_physical_plan().await?;
        execute_stream(physical, task)
    };
    Ok(planning.run(started).await??)
}
