//! A sample application on Highwater: users, orders, an imported event log, live projections.

mod args;
mod cases;
mod database;
mod import;
mod orders;
mod output;
mod retry;
mod server;
mod users;

use std::io::IsTerminal;
use std::process::ExitCode;

use highwater::BoxError;
use tracing_subscriber::EnvFilter;

use args::{Args, USAGE};

#[tokio::main]
async fn main() -> ExitCode {
    output::tell_of_panics();
    let code = match Args::parse(std::env::args_os(), |name| std::env::var(name).ok()) {
        Ok(args) => match run(args).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                output::tell(&format!("sample-app: {}", with_causes(&*error)));
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            output::tell(&format!("sample-app: {error}\n\n{USAGE}"));
            ExitCode::from(2)
        }
    };
    output::flush();
    code
}

async fn run(args: Args) -> Result<(), BoxError> {
    match args {
        Args::Help => output::print(USAGE)?,
        Args::Version => output::print(concat!("sample-app ", env!("CARGO_PKG_VERSION")))?,
        Args::Run { database_url, task } => {
            log_to_stderr();
            database::run(&database_url, task).await?;
        }
    }
    Ok(())
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        // It would tell of them on standard error by itself, and panic when nobody reads that.
        .log_internal_errors(false)
        .with_writer(|| output::Log)
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
