//! Every published crate is whole: it builds from its package, with its migrations inside.

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
    Ok(cargo(sh)
        .args(["package", "--quiet", "--allow-dirty", "--all-features"])
        .args(PROFILE)
        .args(packages)
        .run()?)
}

/// Fails when a migration of the crate is not among the files of its package.
fn has_migrations(sh: &Shell, name: &str, migrations: &std::path::Path) -> Result {
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
