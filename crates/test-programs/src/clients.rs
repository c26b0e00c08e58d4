//! The SignalR clients that people use, at the versions of the lock files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::lock::Lock;
use crate::{Error, NODE, NPM, PYTHON, command, provide};

const PACKAGE: &str = include_str!("../clients/package.json");
const PACKAGE_LOCK: &str = include_str!("../clients/package-lock.json");
const REQUIREMENTS: &str = include_str!("../clients/requirements.txt");

/// The interpreter of the virtual environment.
const VENV_PYTHON: &str = "python/bin/python";

/// How long npm or pip may take, and how long others wait for them.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// The directory below `target_tmp` with the clients and, beside them, `scripts`: their names and
/// what is in them.
///
/// Installs the clients with npm and pip when they are not there, at most once at a time.
pub fn clients(target_tmp: &Path, scripts: &[(&str, &str)]) -> Result<PathBuf, Error> {
    let home = target_tmp.join("live-clients");
    fs::create_dir_all(&home).map_err(failed(&home))?;
    let _lock = Lock::take(&target_tmp.join("live-clients.lock"), PATIENCE * 2)?;
    let installed = home.join("installed");
    let wanted = [PACKAGE, PACKAGE_LOCK, REQUIREMENTS].concat();
    let is_installed = fs::read_to_string(&installed).is_ok_and(|found| found == wanted);
    if !is_installed || !runs(&home.join(VENV_PYTHON)) {
        eprintln!("installing the SignalR clients into {}", home.display());
        install(&home)?;
        write(&installed, &wanted)?;
    }
    for (name, script) in scripts {
        write(&home.join(name), script)?;
    }
    Ok(home)
}

fn install(home: &Path) -> Result<(), Error> {
    provide(&[&NODE, &NPM, &PYTHON])?;
    write(&home.join("package.json"), PACKAGE)?;
    write(&home.join("package-lock.json"), PACKAGE_LOCK)?;
    write(&home.join("requirements.txt"), REQUIREMENTS)?;
    let run = |program: &Path, arguments: &[&str]| {
        command::run(Command::new(program).args(arguments).current_dir(home), PATIENCE)
    };
    run(NPM.path()?, &["ci", "--silent", "--no-audit", "--no-fund"])?;
    run(PYTHON.path()?, &["-m", "venv", "--clear", "python"])?;
    let packages = ["-m", "pip", "install", "--quiet", "--no-deps", "-r", "requirements.txt"];
    run(&home.join(VENV_PYTHON), &packages)
}

/// Whether the interpreter is there, and what it links to is, too.
fn runs(python: &Path) -> bool {
    command::run(Command::new(python).arg("--version"), PATIENCE).is_ok()
}

/// Writes a file that others may be reading: they find the old or the new one, never a part.
fn write(path: &Path, content: &str) -> Result<(), Error> {
    if fs::read_to_string(path).is_ok_and(|found| found == content) {
        return Ok(());
    }
    let part = path.with_extension("part");
    fs::write(&part, content).map_err(failed(&part))?;
    fs::rename(&part, path).map_err(failed(path))
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> Error {
    move |source| Error::File { path: path.to_owned(), source }
}
