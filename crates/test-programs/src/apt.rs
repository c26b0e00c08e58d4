//! Debian's package manager, of which only one may run at a time.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use crate::lock::Lock;
use crate::program::{missing, on_path};
use crate::{Error, Program, command};

/// How long a whole installation may take, and so how long others wait for it.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// How long somebody else's use of the package manager is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(10 * 60);

const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// Lists that are older may name packages that are no longer there.
const LISTS_AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What the package manager says when somebody else uses it.
const IN_USE: [&str; 3] = ["Could not get lock", "Unable to lock", "Unable to acquire"];

/// Debian's own switch against the cluster that its package of PostgreSQL makes and starts.
const NO_CLUSTER: (&str, &str) =
    ("/etc/postgresql-common/createcluster.conf", "create_main_cluster = false\n");

/// The packages that bring that switch with them.
const WITH_CLUSTER: [&str; 2] = ["pgbouncer", "postgresql"];

/// The package manager, used by who may.
#[derive(Debug)]
pub(crate) struct Apt {
    lists: PathBuf,
    lock: PathBuf,
}

impl Apt {
    /// That of this machine; `None` when it has none, or this process is not root.
    pub(crate) fn of_root() -> Result<Option<Self>, Error> {
        if !is_root()? || !on_path().iter().any(|dir| dir.join("apt-get").exists()) {
            return Ok(None);
        }
        let lock = std::env::temp_dir().join("test-programs.lock");
        Ok(Some(Self { lists: lists()?, lock }))
    }

    /// Installs the packages of those of `programs` that are still missing once it is our turn.
    pub(crate) fn install(&self, programs: &[&'static Program]) -> Result<(), Error> {
        let _lock = Lock::take(&self.lock, PATIENCE)?;
        let wanted = missing(programs);
        if wanted.is_empty() {
            return Ok(());
        }
        let mut packages: Vec<&str> = wanted.iter().map(|program| program.package).collect();
        packages.sort_unstable();
        packages.dedup();
        let names: Vec<&str> = wanted.iter().map(|program| program.name()).collect();
        let (names, listed) = (names.join(", "), packages.join(" "));
        eprintln!("not here: {names}; installing Debian's {listed}");
        if packages.iter().any(|package| WITH_CLUSTER.contains(package)) {
            make_no_cluster()?;
        }
        let is_new = are_fresh(&self.lists, SystemTime::now());
        if !is_new {
            self.update()?;
        }
        if let Err(error) = get("install", &packages) {
            if !is_new {
                return Err(error);
            }
            // The lists may name packages that were replaced since.
            self.update()?;
            get("install", &packages)?;
        }
        let missing = missing(&wanted);
        if missing.is_empty() { Ok(()) } else { Err(Error::StillMissing(missing)) }
    }

    /// Fetches the lists; those of before will do when that fails and there are any.
    fn update(&self) -> Result<(), Error> {
        match get("update", &[]) {
            Err(error) if has_lists(&self.lists) => {
                eprintln!("going on with the package lists of before: {error}");
                Ok(())
            }
            outcome => outcome,
        }
    }
}

/// Runs `apt-get`, again when somebody else uses it.
fn get(verb: &str, packages: &[&str]) -> Result<(), Error> {
    let deadline = Instant::now() + LOCK_PATIENCE;
    let timeout = format!("DPkg::Lock::Timeout={}", LOCK_PATIENCE.as_secs());
    loop {
        let mut command = Command::new("apt-get");
        command.args(["-qq", "-y", "-o", &timeout, "-o", "Acquire::Retries=3", verb]);
        if verb == "install" {
            command.arg("--no-install-recommends").args(packages);
        }
        command.env("LC_ALL", "C").env("DEBIAN_FRONTEND", "noninteractive");
        command.env("UCF_FORCE_CONFFOLD", "1");
        match command::run(&mut command, PATIENCE) {
            Err(Error::Failed { output, .. })
                if IN_USE.iter().any(|words| output.contains(words))
                    && Instant::now() < deadline =>
            {
                eprintln!("waiting for the package manager: {}", first_line(&output));
                std::thread::sleep(BETWEEN_TRIES);
            }
            outcome => return outcome,
        }
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn make_no_cluster() -> Result<(), Error> {
    let (path, content) = (Path::new(NO_CLUSTER.0), NO_CLUSTER.1);
    let failed = |source| Error::File { path: path.to_owned(), source };
    if !path.exists() {
        std::fs::create_dir_all(path.parent().unwrap_or(path)).map_err(failed)?;
        std::fs::write(path, content).map_err(failed)?;
    }
    Ok(())
}

/// The directory of the package lists, as the package manager is configured.
fn lists() -> Result<PathBuf, Error> {
    let mut command = Command::new("apt-config");
    let output = command.args(["shell", "lists", "Dir::State::lists/d"]).output();
    let start = |source| Error::Start { command: "apt-config".to_owned(), source };
    let told = String::from_utf8_lossy(&output.map_err(start)?.stdout).into_owned();
    let path = told.trim().strip_prefix("lists=").unwrap_or("/var/lib/apt/lists");
    Ok(path.trim_matches('\'').into())
}

fn has_lists(dir: &Path) -> bool {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
}

/// Whether there are lists, fetched less than [`LISTS_AGE_MAX`] before `now`.
fn are_fresh(dir: &Path, now: SystemTime) -> bool {
    // The files carry the server's time; what is put into the directories, that of this machine.
    let changed = |dir: &Path| dir.metadata().and_then(|about: Metadata| about.modified()).ok();
    let newest = [changed(dir), changed(&dir.join("partial"))].into_iter().flatten().max();
    let is_recent = |changed| now.duration_since(changed).is_ok_and(|age| age < LISTS_AGE_MAX);
    has_lists(dir) && newest.is_some_and(is_recent)
}

fn is_root() -> Result<bool, Error> {
    let output = Command::new("id").arg("-u").output();
    let start = |source| Error::Start { command: "id -u".to_owned(), source };
    Ok(output.map_err(start)?.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_fresh_for_a_day_and_only_when_there_are_any() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::now() + Duration::from_secs(60);
        assert!(!are_fresh(dir.path(), now));
        std::fs::write(dir.path().join("deb.example_main_binary-amd64_Packages.lz4"), "").unwrap();
        assert!(are_fresh(dir.path(), now));
        assert!(!are_fresh(dir.path(), now + LISTS_AGE_MAX));
        assert!(!are_fresh(&dir.path().join("missing"), now));
    }
}
