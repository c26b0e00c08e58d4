//! What continuous integration runs: the cheap steps first, the tests last.

use xshell::{Shell, cmd};

use crate::cargo::cargo;
use crate::steps::Steps;
use crate::{Result, package, release, test, tidy};

/// Runs every step; fails when one of them does.
pub(crate) fn run(sh: &Shell) -> Result {
    let mut steps = Steps::default();
    let mut tally = None;
    steps.run("fmt", || Ok(cmd!(sh, "cargo fmt --all --check").run()?));
    steps.run("tidy", || tidy::run(&sh.current_dir()));
    if has_deny(sh) {
        // Without the advisories, which are on the network and change without a commit.
        steps.run("deny", || check(sh, &["bans", "licenses", "sources"]));
    } else {
        println!("\n=== deny: left out, cargo-deny is not installed");
    }
    steps.run("clippy", || clippy(sh));
    steps.run("doc", || doc(sh));
    steps.run("contents", || release::contents(sh));
    steps.run("package", || package::run(sh));
    steps.run("test", || {
        let counted = test::run(sh, &[])?;
        tally = Some(counted);
        Ok(())
    });
    if let Some(tally) = tally {
        println!("\n{tally}");
    }
    steps.finish()
}

/// Checks the dependencies against `deny.toml`, and for what has become known about them.
pub(crate) fn deny(sh: &Shell) -> Result {
    check(sh, &[])
}

fn check(sh: &Shell, what: &[&str]) -> Result {
    Ok(cargo(sh).args(["deny", "--all-features", "check"]).args(what).run()?)
}

fn has_deny(sh: &Shell) -> bool {
    cmd!(sh, "cargo deny --version").quiet().ignore_stdout().ignore_stderr().run().is_ok()
}

fn clippy(sh: &Shell) -> Result {
    let all = ["--workspace", "--all-targets", "--all-features"];
    Ok(cargo(sh).arg("clippy").args(all).args(["--", "-D", "warnings"]).run()?)
}

fn doc(sh: &Shell) -> Result {
    let _warnings = sh.push_env("RUSTDOCFLAGS", "-D warnings");
    Ok(cargo(sh).args(["doc", "--workspace", "--no-deps", "--all-features"]).run()?)
}
