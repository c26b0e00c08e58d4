//! Runs the tests, with one PostgreSQL for all of them.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use xshell::{Shell, cmd};

use crate::cargo::{as_from_a_shell, cargo};
use crate::{Result, database};

/// What is tested when nothing is asked for.
const ALL: [&str; 3] = ["--workspace", "--all-features", "--no-fail-fast"];

/// Runs `cargo test`; fails when a test does, and when there is no PostgreSQL to test on.
pub(crate) fn run(sh: &Shell, arguments: &[String]) -> Result<Tally> {
    if arguments.is_empty() {
        install_programs(sh)?;
        // Also builds the program that provides the database, with the features of the tests.
        cargo(sh).arg("test").args(ALL).arg("--no-run").run()?;
    } else {
        database::build(sh)?;
    }
    let program = database::program()?;
    let all = ALL.map(str::to_owned);
    let arguments = if arguments.is_empty() { &all } else { arguments };
    let mut tests = Command::from(as_from_a_shell(cmd!(sh, "{program} cargo test {arguments...}")));
    let mut child = tests.stdout(Stdio::piped()).spawn()?;
    let mut tally = Tally::default();
    for line in BufReader::new(child.stdout.take().ok_or("no output")?).lines() {
        let line = line?;
        println!("{line}");
        tally.count(&line);
    }
    let status = child.wait()?;
    if status.success() { Ok(tally) } else { Err(format!("cargo test: {status}").into()) }
}

/// Installs what the tests run, before minutes of compiling and while nobody else wants to.
///
/// Tests that run without this do the same when they come to need something.
fn install_programs(sh: &Shell) -> Result {
    println!("looking for the programs that the tests run");
    Ok(cargo(sh).args(["run", "--quiet", "--package", "test-programs"]).run()?)
}

/// The sum of cargo's own summary lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    passed: u32,
    failed: u32,
    ignored: u32,
}

impl Tally {
    /// Counts a line such as `test result: ok. 5 passed; 0 failed; 0 ignored; …`.
    fn count(&mut self, line: &str) {
        let Some(numbers) = line.strip_prefix("test result:") else { return };
        let words: Vec<&str> = numbers.split([' ', ';', '.']).collect();
        let before = |name| {
            let number = words.iter().position(|word| *word == name).and_then(|i| words.get(i - 1));
            number.and_then(|number| number.parse::<u32>().ok()).unwrap_or(0)
        };
        self.passed += before("passed");
        self.failed += before("failed");
        self.ignored += before("ignored");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, ignored } = self;
        write!(f, "tests: {passed} passed, {failed} failed, {ignored} ignored")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tally_adds_up_what_cargo_says() {
        let mut tally = Tally::default();
        tally.count("test a ... ok");
        tally.count("test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out");
        tally.count("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured");
        assert_eq!(tally, Tally { passed: 7, failed: 3, ignored: 1 });
    }
}
