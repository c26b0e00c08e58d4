//! A sample application on Highwater: users, orders, an imported event log, live projections.

mod args;
mod case_progress;
mod cases;
mod chunks;
mod cloud_event;
mod database;
mod import;
mod live;
mod orders;
mod progress;
mod retry;
mod serve;
mod user_directory;
mod user_event;
mod user_statistics;
mod users;

use std::io::IsTerminal;
use std::process::ExitCode;

use highwater::BoxError;
use tracing_subscriber::EnvFilter;

use crate::args::{Args, USAGE};

#[tokio::main]
async fn main() -> ExitCode {
    let args = match Args::parse(std::env::args_os(), |name| std::env::var(name).ok()) {
        Ok(args) => args,
        Err(error) => {
            eprintln!("sample-app: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sample-app: {}", with_causes(&*error));
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> Result<(), BoxError> {
    match args {
        Args::Help => println!("{USAGE}"),
        Args::Version => println!("sample-app {}", env!("CARGO_PKG_VERSION")),
        Args::Run { database_url, task } => {
            log_to_stderr();
            database::run(&database_url, task).await?;
        }
    }
    Ok(())
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let stderr = std::io::stderr;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(stderr().is_terminal())
        .with_writer(stderr)
        .init();
}

/// The error and what caused it, in one line; a driver may have told the cause already.
fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    for cause in std::iter::successors(error.source(), |error| error.source()) {
        let cause = cause.to_string();
        if !line.ends_with(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    line
}
