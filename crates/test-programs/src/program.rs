//! Programs: by which names they go, where they may be, and which package brings them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::apt::Apt;
use crate::{Error, command};

/// How long a program may take to say its version.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where Debian keeps the programs of PostgreSQL, by version.
const DEBIAN_POSTGRESQL: &str = "/usr/lib/postgresql";

/// A program that tests run.
#[derive(Debug)]
pub struct Program {
    /// What it is called, the most usual first.
    names: &'static [&'static str],
    /// What it does successfully when it is whole.
    check: &'static [&'static str],
    /// Programs that have to be beside it.
    beside: &'static [&'static str],
    /// Where it may be, besides the directories of `PATH`.
    places: fn() -> Vec<PathBuf>,
    /// Debian's package.
    pub(crate) package: &'static str,
    elsewhere: &'static str,
    found: OnceLock<PathBuf>,
}

/// A browser.
pub static CHROMIUM: Program = Program::new(
    &["chromium", "chromium-browser", "google-chrome"],
    "chromium",
    "macOS: `brew install --cask chromium`",
);

/// Node.js.
pub static NODE: Program =
    Program::new(&["node", "nodejs"], "nodejs", "elsewhere: https://nodejs.org");

/// The package manager of Node.js.
pub static NPM: Program = Program::new(&["npm"], "npm", "elsewhere: https://nodejs.org");

/// A pooler of connections to PostgreSQL.
pub static PGBOUNCER: Program =
    Program::new(&["pgbouncer"], "pgbouncer", "macOS: `brew install pgbouncer`")
        .also_in(|| vec!["/usr/sbin".into()]);

/// `initdb` of a PostgreSQL server, with the server's other programs beside it.
pub static POSTGRESQL: Program = Program::new(
    &["initdb"],
    "postgresql",
    "Fedora: `dnf install postgresql-server`; macOS: `brew install postgresql`",
)
.beside(&["pg_ctl", "postgres"])
.also_in(postgresql);

/// Python 3 that can make virtual environments.
pub static PYTHON: Program =
    Program::new(&["python3"], "python3-venv", "elsewhere: https://www.python.org")
        .checked_by(&["-c", "import ensurepip, venv"]);

/// Every program that some test runs.
pub static ALL: [&Program; 6] = [&POSTGRESQL, &PGBOUNCER, &CHROMIUM, &NODE, &NPM, &PYTHON];

impl Program {
    const fn new(
        names: &'static [&'static str],
        package: &'static str,
        elsewhere: &'static str,
    ) -> Self {
        Self {
            names,
            check: &["--version"],
            beside: &[],
            places: Vec::new,
            package,
            elsewhere,
            found: OnceLock::new(),
        }
    }

    const fn checked_by(mut self, arguments: &'static [&'static str]) -> Self {
        self.check = arguments;
        self
    }

    const fn beside(mut self, names: &'static [&'static str]) -> Self {
        self.beside = names;
        self
    }

    const fn also_in(mut self, places: fn() -> Vec<PathBuf>) -> Self {
        self.places = places;
        self
    }

    /// Where it is; installs it first when that is necessary and possible, which takes a while.
    pub fn path(&'static self) -> Result<&'static Path, Error> {
        provide(&[self])?;
        self.found().ok_or_else(|| Error::StillMissing(vec![self]))
    }

    /// What it is usually called.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or(self.package)
    }

    /// Where it is, if it is anywhere and works; what was found once is not looked for again.
    pub(crate) fn found(&self) -> Option<&Path> {
        if self.found.get().is_none() {
            let _by_another_thread = self.found.set(self.find()?);
        }
        self.found.get().map(PathBuf::as_path)
    }

    /// What to install, on Debian and elsewhere.
    pub(crate) fn advice(&self) -> String {
        let Self { package, elsewhere, .. } = self;
        format!("{} (Debian, Ubuntu: `apt-get install {package}`; {elsewhere})", self.name())
    }

    fn find(&self) -> Option<PathBuf> {
        let dirs: Vec<PathBuf> = on_path().into_iter().chain((self.places)()).collect();
        let in_dir = |dir: &PathBuf| self.names.iter().find_map(|name| self.whole(&dir.join(name)));
        dirs.iter().find_map(in_dir)
    }

    /// The program at `path`, if it and those beside it are there and it works.
    fn whole(&self, path: &Path) -> Option<PathBuf> {
        if !path.is_file() {
            return None;
        }
        // A link leads to where the others are; one that goes by its name is run by it.
        let path = if self.beside.is_empty() { path.into() } else { path.canonicalize().ok()? };
        let is_beside = |name: &&str| path.with_file_name(name).is_file();
        let is_whole = self.beside.iter().all(is_beside);
        let works = || command::run(Command::new(&path).args(self.check), PATIENCE).is_ok();
        (is_whole && works()).then_some(path)
    }
}

/// Finds all of `programs`; installs those that are missing, in one go, as root on Debian.
///
/// Fails and says what to install where that is not possible.
pub fn provide(programs: &[&'static Program]) -> Result<(), Error> {
    let missing = missing(programs);
    if missing.is_empty() {
        return Ok(());
    }
    match Apt::of_root()? {
        Some(apt) => apt.install(&missing),
        None => Err(Error::Missing(missing)),
    }
}

/// Those of `programs` that are nowhere to be found.
pub(crate) fn missing(programs: &[&'static Program]) -> Vec<&'static Program> {
    programs.iter().copied().filter(|program| program.found().is_none()).collect()
}

/// The directories of `PATH`.
pub(crate) fn on_path() -> Vec<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect()
}

/// Where PostgreSQL's programs may be: every version of Debian's, and where `pg_config` says.
fn postgresql() -> Vec<PathBuf> {
    let mut dirs = debian_versions(Path::new(DEBIAN_POSTGRESQL));
    if let Ok(told) = Command::new("pg_config").arg("--bindir").output() {
        dirs.push(String::from_utf8_lossy(&told.stdout).trim().into());
    }
    dirs
}

/// The directories of every version that Debian has installed, newest first.
fn debian_versions(root: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
    let version = |entry: std::fs::DirEntry| entry.file_name().to_str()?.parse::<u32>().ok();
    let mut versions: Vec<u32> = entries.filter_map(version).collect();
    versions.sort_unstable_by(|one, two| two.cmp(one));
    versions.into_iter().map(|version| root.join(version.to_string()).join("bin")).collect()
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
        assert_eq!(debian_versions(root.path()), bins);
        assert_eq!(debian_versions(&root.path().join("missing")), Vec::<PathBuf>::new());
    }
}
