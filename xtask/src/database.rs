//! A PostgreSQL for a command, from the program `test-postgres`.

use std::path::PathBuf;

use xshell::{Shell, cmd};

use crate::Result;
use crate::cargo::cargo;

/// The program, which cargo puts beside this one.
pub(crate) fn program() -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("test-postgres"))
}

/// Builds the program by itself, for when nothing else needs to be built.
pub(crate) fn build(sh: &Shell) -> Result {
    Ok(cargo(sh).args(["build", "--quiet", "--package", "test-postgres"]).run()?)
}

/// Prints the URL of a server and keeps it running until Ctrl-C.
pub(crate) fn serve(sh: &Shell, options: &[String]) -> Result {
    build(sh)?;
    let program = program()?;
    Ok(cmd!(sh, "{program} {options...}").quiet().run()?)
}

/// Runs the benchmarks on a server that waits for the disk.
pub(crate) fn bench(sh: &Shell, options: &[String]) -> Result {
    build(sh)?;
    cargo(sh).args(["build", "--release", "--package", "bench"]).run()?;
    let program = program()?;
    let target = program.ancestors().nth(2).ok_or("no target directory")?;
    let bench = target.join("release").join("bench");
    let date = cmd!(sh, "date +%F").quiet().read()?;
    Ok(cmd!(
        sh,
        "{program} --durable {bench} --date {date} --output docs/benchmarks.md {options...}"
    )
    .run()?)
}
