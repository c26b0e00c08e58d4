//! Installs the programs that tests run, before they do.

use std::path::PathBuf;
use std::process::ExitCode;

use test_programs::{ALL, Error, install_all, provide};

const USAGE: &str = "\
usage: test-programs [program ...]

Finds the programs or, as root on Debian, installs what is missing; without arguments all that
tests run, and the SignalR clients into the target directory that this program is in.";

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    match run(&names) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(names: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    if names.is_empty() {
        return Ok(install_all(&target_tmp()?)?);
    }
    let known = |name: &String| ALL.iter().copied().find(|program| program.name() == name);
    let programs: Option<Vec<_>> = names.iter().map(known).collect();
    provide(&programs.ok_or(USAGE)?)?;
    Ok(())
}

/// What cargo calls `CARGO_TARGET_TMPDIR`: this program is in `target/debug` beside it.
fn target_tmp() -> Result<PathBuf, Error> {
    let of_exe = |source| Error::File { path: "the program itself".into(), source };
    let exe = std::env::current_exe().map_err(of_exe)?;
    Ok(exe.ancestors().nth(2).unwrap_or(&exe).join("tmp"))
}
