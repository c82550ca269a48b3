//! `wayfare demo`: real data, five questions, a server.

use std::net::Ipv4Addr;
use std::sync::Arc;

use wayfare_datasets::simple_shop;
use wayfare_engine::load::read::ReadOptions;
use wayfare_engine::load::{Dedup, LoadRequest, NoProgress, OnError};
use wayfare_engine::store::TOUCHPOINTS;
use wayfare_engine::{Engine, EngineConfig, Session, SessionOptions};
use wayfare_server::ServeOptions;

use super::args::{DemoArgs, OutputFormat};
use super::error::CliError;
use super::output::{self, Target};
use super::{load, serve};

/// Where the demonstration keeps its store unless --store names another place.
pub const DEMO_STORE: &str = "./wayfare-demo";

struct Question {
    text: &'static str,
    sql: &'static str,
}

/// `lost` marks in the data that a person never came back; it is no contact. Where it would count as one, the
/// questions leave it out.
const QUESTIONS: [Question; 5] = [
    Question { text: "Who came, and what did they do?", sql: include_str!("demo/events.sql") },
    Question {
        text: "How do visits look? (a gap of more than 30 minutes starts a new session)",
        sql: include_str!("demo/sessions.sql"),
    },
    Question {
        text: "How far do people get from the catalog to the cart to a payment within an hour?",
        sql: include_str!("demo/funnel.sql"),
    },
    Question {
        text: "At which step do sessions end? ('lost' marks that the person never came back)",
        sql: include_str!("demo/exits.sql"),
    },
    Question {
        text: "Of the people who first came in a month, who came back in the months after? (empty: still to come)",
        sql: include_str!("demo/retention.sql"),
    },
];

/// Loads, answers, serves.
pub async fn run(config: EngineConfig, args: &DemoArgs) -> Result<(), CliError> {
    let store_url = config.store_url.clone();
    let engine = Arc::new(Engine::open_or_create(config).await?);
    load_bundled(&engine, &store_url).await?;
    let session = engine.session(&SessionOptions::default())?;
    for question in &QUESTIONS {
        answer(&session, question).await?;
    }
    if args.no_serve {
        return Ok(());
    }
    let listen = (Ipv4Addr::LOCALHOST, args.port).into();
    serve::serve(engine, ServeOptions { listen, ..ServeOptions::default() }).await
}

async fn load_bundled(engine: &Engine, store_url: &str) -> Result<(), CliError> {
    let dir = tempfile::tempdir().map_err(|e| CliError::io("write to", "the temporary directory", e))?;
    let file = simple_shop::write_to(dir.path()).map_err(|e| CliError::io("write", "the bundled data", e))?;
    let request = LoadRequest {
        table: TOUCHPOINTS.to_owned(),
        inputs: vec![file.display().to_string()],
        read: ReadOptions {
            mapping: vec![("ts".to_owned(), "timestamp".to_owned())],
            ..ReadOptions::default()
        },
        on_error: OnError::Abort,
        dedup: Dedup::EventId,
        force: false,
    };
    output::print(&format!("Loading bundled data of an online shop into {store_url}\n\n"))?;
    let report = engine.load(&request, Arc::new(NoProgress)).await?;
    output::print(&format!("{}\n", load::render(&report, TOUCHPOINTS)))
}

async fn answer(session: &Session, question: &Question) -> Result<(), CliError> {
    output::print(&format!("-- {}\n{}\n", question.text, question.sql.trim_end()))?;
    let stream = session.query(question.sql).await?;
    output::write(stream, OutputFormat::Table, &Target::Standard).await?;
    output::print("\n")
}
