//! Rehearsal of a release: what would be published is whole, and says what it should.

use std::collections::BTreeSet;
use std::path::Path;

use xshell::{Shell, cmd};

use crate::steps::Steps;
use crate::tidy::manifest::Manifest;
use crate::{Result, package};

/// What every package must carry, so that crates.io and docs.rs show it.
const FILES: [&str; 4] = ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "src/lib.rs"];

/// Lines of every manifest, without which docs.rs would hide what is behind features.
const SETTINGS: [&str; 3] =
    ["readme = \"README.md\"", "[package.metadata.docs.rs]", "all-features = true"];

/// Rehearses a release and publishes nothing; fails when a step does.
pub(crate) fn rehearse(sh: &Shell) -> Result {
    let root = sh.current_dir();
    let manifests = Manifest::all(&root)?;
    let mut steps = Steps::default();
    steps.run("contents", || contents(sh));
    steps.run("changelog", || changelog(&root));
    steps.run("package", || package::run(sh));
    if has_semver_checks(sh) {
        steps.run("semver", || semver(sh, &in_order(&manifests)));
    } else {
        println!("\n=== semver: left out, cargo-semver-checks is not installed");
    }
    println!("\nwould publish, in the order of their dependencies:");
    for name in in_order(&manifests) {
        println!("  {name} {}", version(&root)?);
    }
    steps.finish()
}

/// Fails when a package lacks a file or a setting.
pub(crate) fn contents(sh: &Shell) -> Result {
    let manifests = Manifest::all(&sh.current_dir())?;
    let mut missing = Vec::new();
    for name in in_order(&manifests) {
        let manifest = sh.read_file(Path::new("crates").join(name).join("Cargo.toml"))?;
        let lacking = SETTINGS.iter().filter(|line| !manifest.lines().any(|own| own == **line));
        missing.extend(lacking.map(|line| format!("{name}: Cargo.toml has no line {line}")));
        let listed = cmd!(sh, "cargo package --list --allow-dirty --package {name}").quiet();
        let listed = listed.read()?;
        let files: BTreeSet<&str> = listed.lines().collect();
        let lacking = FILES.iter().filter(|file| !files.contains(*file));
        missing.extend(lacking.map(|file| format!("{name}: {file} is not in its package")));
    }
    if missing.is_empty() { Ok(()) } else { Err(missing.join("\n").into()) }
}

/// Fails when the changelog says nothing of what is about to be released.
fn changelog(root: &Path) -> Result {
    let text = std::fs::read_to_string(root.join("docs/changelog.md"))?;
    if has_notes(&text, &version(root)?) {
        return Ok(());
    }
    Err("docs/changelog.md has no notes under this version, nor under Unreleased".into())
}

/// Whether there are notes under a heading of `version` or of what is not released yet.
fn has_notes(changelog: &str, version: &str) -> bool {
    let sections = changelog.split("\n## ").skip(1);
    let mut ours = sections.filter(|section| {
        let heading = section.lines().next().unwrap_or("");
        heading == "Unreleased" || heading.split(' ').next() == Some(version)
    });
    ours.any(|section| section.lines().any(|line| line.starts_with("- ")))
}

/// The version that all crates share.
fn version(root: &Path) -> Result<String> {
    let text = std::fs::read_to_string(root.join("Cargo.toml"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("version = \""));
    let version = line.and_then(|rest| rest.strip_suffix('"'));
    Ok(version.ok_or("Cargo.toml has no version for its workspace")?.to_owned())
}

/// The published crates, each behind those that it depends on.
fn in_order(manifests: &[Manifest]) -> Vec<&str> {
    let mut todo: Vec<&Manifest> = manifests.iter().filter(|m| m.is_published()).collect();
    let mut ordered: Vec<&str> = Vec::new();
    while !todo.is_empty() {
        let waits = |manifest: &&Manifest| {
            let ours = |name: &String| todo.iter().any(|other| other.name == *name);
            manifest.dependencies.iter().any(ours)
        };
        let (later, ready): (Vec<_>, Vec<_>) = todo.iter().copied().partition(waits);
        if ready.is_empty() {
            break;
        }
        ordered.extend(ready.iter().map(|manifest| manifest.name.as_str()));
        todo = later;
    }
    ordered
}

fn has_semver_checks(sh: &Shell) -> bool {
    let asked = cmd!(sh, "cargo semver-checks --version").quiet();
    asked.ignore_stdout().ignore_stderr().run().is_ok()
}

/// Compares each crate with its newest release; one that has none is new.
fn semver(sh: &Shell, published: &[&str]) -> Result {
    for name in published {
        if cmd!(sh, "cargo info --quiet --registry crates-io {name}")
            .quiet()
            .ignore_stdout()
            .ignore_stderr()
            .run()
            .is_ok()
        {
            cmd!(sh, "cargo semver-checks --package {name}").run()?;
        } else {
            println!("{name} has no release to be compared with");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_needs_notes() {
        let text = "# Changelog\n\n## 0.2.0 (2027-01-01)\n\n- **core**: more.\n\n## 0.1.0\n";
        assert!(has_notes(text, "0.2.0"));
        assert!(!has_notes(text, "0.1.0"));
        assert!(!has_notes(text, "0.2"));
        assert!(has_notes("# Changelog\n\n## Unreleased\n\n- **core**: first.\n", "0.1.0"));
    }

    #[test]
    fn crates_come_behind_those_that_they_depend_on() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let manifests = Manifest::all(root).unwrap();
        let order = in_order(&manifests);
        let at = |name| order.iter().position(|other| *other == name).unwrap();
        assert!(at("highwater-core") < at("highwater-saga"));
        assert!(at("highwater-saga") < at("highwater"));
        assert_eq!(order.len(), manifests.iter().filter(|m| m.is_published()).count());
    }
}
