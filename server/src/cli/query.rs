//! `wayfare query`.

use std::io::Read;

use wayfare_engine::{Engine, EngineConfig, SessionOptions};

use super::args::{OutputFormat, QueryArgs};
use super::error::CliError;
use super::output::{self, Target};

/// Runs the statements and writes the results one after the other.
pub async fn run(config: EngineConfig, args: &QueryArgs) -> Result<(), CliError> {
    if args.format == OutputFormat::Parquet && args.output.is_none() {
        return Err(CliError::Other("--format parquet needs --output FILE".to_owned()));
    }
    let sql = statement_text(args)?;
    let engine = Engine::open(config).await?;
    let session = engine.session(&SessionOptions { pin: args.pin(), ..SessionOptions::default() })?;
    // Who runs commands on a store may do everything to it.
    session.allow_deletes(true);
    let statements = session.parse(&sql)?;
    if statements.is_empty() {
        return Err(CliError::Other(
            "no statement given: pass SQL as an argument, with --file or on standard input".to_owned(),
        ));
    }
    if statements.len() > 1 && args.output.is_some() {
        return Err(CliError::Other(format!(
            "--output takes the result of one statement, {} were given",
            statements.len()
        )));
    }
    let target = Target::new(args.output.as_deref());
    for statement in statements {
        let plan = session.plan(statement).await?;
        let stream = session.execute(plan).await?;
        // SET, CREATE and the like have no result.
        if !stream.schema().fields().is_empty() {
            output::write(stream, args.format, &target).await?;
        }
    }
    Ok(())
}

fn statement_text(args: &QueryArgs) -> Result<String, CliError> {
    match (&args.sql, &args.file) {
        (Some(sql), _) => Ok(sql.clone()),
        (None, Some(file)) => {
            std::fs::read_to_string(file).map_err(|e| CliError::io("read", file.display().to_string(), e))
        }
        (None, None) => {
            let mut sql = String::new();
            std::io::stdin()
                .read_to_string(&mut sql)
                .map_err(|e| CliError::io("read", "standard input", e))?;
            Ok(sql)
        }
    }
}
