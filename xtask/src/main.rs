//! The chores of this repository: `cargo xtask ci` is what continuous integration runs.

mod cargo;
mod ci;
mod database;
mod package;
mod release;
mod steps;
mod test;
mod tidy;

use std::path::Path;
use std::process::ExitCode;

use xshell::Shell;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const USAGE: &str = "\
usage: cargo xtask <chore>

  ci               format, lints, house rules, documentation, packages, tests
  test [argument]  all tests on all backends; arguments go to cargo test instead of --workspace
  tidy             the house rules that a program can check
  package          every published crate builds from its package, migrations inside
  release --dry-run
                   rehearses a release: packages in order, their contents, the changelog
  deny             licences, advisories and sources of the dependencies (needs cargo-deny)
  db [--durable]   a throw-away PostgreSQL, until Ctrl-C
  bench [--quick] [streams|sagas|live]
                   benchmarks against the raw limit; all at full length go to docs/benchmarks.md";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result {
    let sh = Shell::new()?;
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask is in no workspace")?;
    sh.change_dir(root);
    let Some((chore, rest)) = arguments.split_first() else { return Err(USAGE.into()) };
    match (chore.as_str(), rest) {
        ("ci", []) => ci::run(&sh),
        ("test", arguments) => test::run(&sh, arguments).map(|tally| println!("\n{tally}")),
        ("tidy", []) => tidy::run(root),
        ("package", []) => package::run(&sh),
        ("release", [option]) if option == "--dry-run" => release::rehearse(&sh),
        ("deny", []) => ci::deny(&sh),
        ("db", options) => database::serve(&sh, options),
        ("bench", options) => database::bench(&sh, options),
        _ => Err(USAGE.into()),
    }
}
