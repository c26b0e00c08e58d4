//! Every published crate is whole: it builds from its package, with its migrations inside.

use std::path::{Path, PathBuf};

use xshell::{Shell, cmd};

use crate::Result;
use crate::cargo::cargo;
use crate::tidy::manifest::Manifest;

/// The profile of this workspace, which packages do not carry: with it the dependencies that are
/// compiled already fit, and the builds take seconds instead of minutes.
const PROFILE: [&str; 4] = [
    "--config",
    "profile.dev.debug=\"line-tables-only\"",
    "--config",
    "profile.dev.package.\"*\".debug=false",
];

/// Packages every published crate and builds it from its package.
///
/// Uncommitted changes are packaged as they are, so that the check works before a commit too.
pub(crate) fn run(sh: &Shell) -> Result {
    let manifests = Manifest::all(&sh.current_dir())?;
    let published = manifests.iter().filter(|manifest| manifest.is_published());
    let mut packages = Vec::new();
    for manifest in published {
        let name = &manifest.name;
        packages.extend(["--package".to_owned(), name.clone()]);
        let migrations = sh.current_dir().join("crates").join(name).join("migrations");
        if migrations.exists() {
            has_migrations(sh, name, &migrations)?;
        }
    }
    forget_packages(sh)?;
    Ok(cargo(sh)
        .args(["package", "--quiet", "--allow-dirty", "--all-features"])
        .args(PROFILE)
        .args(packages)
        .run()?)
}

/// Has the packages of the last time unpacked and built anew.
///
/// To cargo a package is as immutable as one from a registry: it would check each crate against
/// those of the same version that it packaged before.
fn forget_packages(sh: &Shell) -> Result {
    let home = match std::env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cargo"),
    };
    for registry in entries(sh, &home.join("registry/src"))? {
        if registry.file_name().is_some_and(|name| is_temporary(&name.to_string_lossy())) {
            for package in entries(sh, &registry)?.into_iter().filter(|package| is_ours(package)) {
                sh.remove_path(package)?;
            }
        }
    }
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let debug = sh.current_dir().join(target).join("debug");
    for sources in entries(sh, &debug.join("deps"))? {
        let is_list = sources.extension() == Some("d".as_ref());
        if is_list && is_ours(&sources) && sh.read_file(&sources)?.contains("registry/src/-") {
            let name = sources.file_stem().unwrap_or_default().to_string_lossy().replace('_', "-");
            sh.remove_path(debug.join(".fingerprint").join(name))?;
        }
    }
    Ok(())
}

fn entries(sh: &Shell, dir: &Path) -> Result<Vec<PathBuf>> {
    Ok(if dir.exists() { sh.read_dir(dir)? } else { Vec::new() })
}

/// Where cargo unpacks the packages that it checks; a registry with a name has that in front.
fn is_temporary(registry: &str) -> bool {
    registry.starts_with('-')
}

fn is_ours(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("highwater"))
}

/// Fails when a migration of the crate is not among the files of its package.
fn has_migrations(sh: &Shell, name: &str, migrations: &Path) -> Result {
    let listed = cmd!(sh, "cargo package --list --allow-dirty --package {name}").quiet().read()?;
    for migration in sh.read_dir(migrations)? {
        let file = migration.file_name().unwrap_or_default().to_string_lossy();
        if file.ends_with(".sql")
            && !listed.lines().any(|line| line == format!("migrations/{file}"))
        {
            return Err(format!("migrations/{file} is not in the package of {name}").into());
        }
    }
    Ok(())
}
