//! Runs a command with `DATABASE_URL` set to a PostgreSQL, or prints the URL until Ctrl-C.

use std::error::Error;
use std::process::ExitCode;

use test_postgres::{Cluster, DATABASE_URL, Settings, url};
use tokio::process::Command;

const USAGE: &str = "\
usage: test-postgres [--durable] [command [argument ...]]

Finds or makes a PostgreSQL and runs the command with DATABASE_URL set to it; without a command
prints the URL and waits for Ctrl-C. What it made goes away when it ends.

  --durable   a server of its own that waits for the disk at every commit, for benchmarks";

#[tokio::main]
async fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            let causes = std::iter::successors(error.source(), |&cause| cause.source());
            causes.for_each(|cause| eprintln!("  because: {cause}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(mut arguments: Vec<String>) -> Result<ExitCode, Box<dyn Error>> {
    let durable = arguments.first().is_some_and(|first| first == "--durable");
    if durable {
        arguments.remove(0);
    }
    if arguments.first().is_some_and(|first| first.starts_with('-')) {
        return Err(USAGE.into());
    }
    // Lives to the end of the command.
    let cluster = if durable { Some(Cluster::start(durable_settings()).await?) } else { None };
    let url = match &cluster {
        Some(cluster) => cluster.url(),
        None => url().await?,
    };
    let Some((program, arguments)) = arguments.split_first() else {
        println!("{url}");
        tokio::signal::ctrl_c().await?;
        return Ok(ExitCode::SUCCESS);
    };
    let status = Command::new(program).args(arguments).env(DATABASE_URL, url).status().await?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}

fn durable_settings() -> Settings {
    Settings { durable: true, shared_buffers: "1GB".to_owned(), ..Settings::default() }
}
