//! The programs of a PostgreSQL server: where they are, and how to get them.

use std::path::{Path, PathBuf};

use tokio::process::Command;
use tokio::sync::Mutex;

use crate::account::is_root;
use crate::{Error, command};

/// Where Debian keeps the programs, by version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// Debian's own switch against the cluster that its package otherwise makes and starts.
const NO_CLUSTER: (&str, &str) =
    ("/etc/postgresql-common/createcluster.conf", "create_main_cluster = false\n");

/// The directory that holds `initdb`, `pg_ctl` and `postgres`.
#[derive(Debug, Clone)]
pub(crate) struct Programs(PathBuf);

impl Programs {
    /// Those that are here, else, as root on Debian, those of its package.
    pub(crate) async fn find_or_install() -> Result<Self, Error> {
        if let Some(found) = Self::find().await {
            return Ok(found);
        }
        if !can_install().await? {
            return Err(Error::NoPrograms);
        }
        install_server().await?;
        Self::find().await.ok_or(Error::NoPrograms)
    }

    /// On the `PATH`, where Debian keeps them (newest first), or where `pg_config` says.
    async fn find() -> Option<Self> {
        let mut dirs: Vec<PathBuf> = on_path().collect();
        dirs.extend(debian(Path::new(DEBIAN)));
        dirs.extend(configured().await);
        dirs.into_iter().find_map(|dir| {
            let initdb = std::fs::canonicalize(dir.join("initdb")).ok()?;
            // A link leads to where the other programs are.
            let dir = initdb.parent()?.to_owned();
            ["pg_ctl", "postgres"].iter().all(|name| dir.join(name).exists()).then_some(Self(dir))
        })
    }

    /// The program `name`.
    pub(crate) fn command(&self, name: &str) -> Command {
        Command::new(self.0.join(name))
    }
}

fn on_path() -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect::<Vec<_>>().into_iter()
}

/// The directories of every version that Debian has installed, newest first.
fn debian(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let version = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    let mut versions: Vec<u32> = entries.filter_map(version).collect();
    versions.sort_unstable_by(|one, two| two.cmp(one));
    versions.into_iter().map(|version| root.join(version.to_string()).join("bin")).collect()
}

async fn configured() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().await.ok()?;
    let dir = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(dir.trim()))
}

/// The program of PgBouncer, which is installed as the server's programs are.
pub(crate) async fn pgbouncer() -> Result<PathBuf, Error> {
    let find = || {
        let dirs = on_path().chain([PathBuf::from("/usr/sbin")]);
        dirs.map(|dir| dir.join("pgbouncer")).find(|program| program.exists())
    };
    if let Some(found) = find() {
        return Ok(found);
    }
    if !can_install().await? {
        return Err(Error::NoPooler);
    }
    let _alone = INSTALLING.lock().await;
    if find().is_none() {
        install("pgbouncer").await?;
    }
    find().ok_or(Error::NoPooler)
}

/// Whether this is Debian, or like it, and this process runs as root.
async fn can_install() -> Result<bool, Error> {
    Ok(is_root().await? && on_path().any(|dir| dir.join("apt-get").exists()))
}

async fn install_server() -> Result<(), Error> {
    let (path, content) = (Path::new(NO_CLUSTER.0), NO_CLUSTER.1);
    let file = |source| Error::File { path: path.to_owned(), source };
    if !path.exists() {
        std::fs::create_dir_all(path.parent().unwrap_or(path)).map_err(file)?;
        std::fs::write(path, content).map_err(file)?;
    }
    install("postgresql").await
}

/// One package at a time: the lists of packages are locked, and nobody waits for that lock.
static INSTALLING: Mutex<()> = Mutex::const_new(());

async fn install(package: &str) -> Result<(), Error> {
    eprintln!("installing Debian's package {package}");
    command::run(Command::new("apt-get").args(["-qq", "update"])).await?;
    let mut install = Command::new("apt-get");
    install.args(["-qq", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]);
    install.args(["install", package]);
    install.env("DEBIAN_FRONTEND", "noninteractive").env("UCF_FORCE_CONFFOLD", "1");
    // Has Debian's scripts leave services alone, of which tests start their own.
    install.env("RUNLEVEL", "1");
    command::run(&mut install).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_debians_versions_comes_first() {
        let root = tempfile::tempdir().unwrap();
        for name in ["9", "17", "15", "common"] {
            std::fs::create_dir(root.path().join(name)).unwrap();
        }
        let bins = ["17", "15", "9"].map(|version| root.path().join(version).join("bin"));
        assert_eq!(debian(root.path()), bins);
        assert_eq!(debian(&root.path().join("missing")), Vec::<PathBuf>::new());
    }
}
