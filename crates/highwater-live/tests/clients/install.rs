//! Installs the clients, once, at the versions of the lock files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const PACKAGE: &str = include_str!("package.json");
const PACKAGE_LOCK: &str = include_str!("package-lock.json");
const REQUIREMENTS: &str = include_str!("requirements.txt");

const SCRIPTS: [(&str, &str); 3] = [
    ("client.mjs", include_str!("client.mjs")),
    ("pysignalr_client.py", include_str!("pysignalr_client.py")),
    ("signalrcore_client.py", include_str!("signalrcore_client.py")),
];

/// The directory with the scripts and what they import.
pub(crate) fn clients() -> &'static Path {
    static CLIENTS: OnceLock<PathBuf> = OnceLock::new();
    CLIENTS.get_or_init(|| {
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("live-clients");
        let installed = home.join("installed");
        let wanted = [PACKAGE, PACKAGE_LOCK, REQUIREMENTS].concat();
        if fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
            write_scripts(&home);
            return home;
        }
        fs::create_dir_all(&home).unwrap();
        fs::write(home.join("package.json"), PACKAGE).unwrap();
        fs::write(home.join("package-lock.json"), PACKAGE_LOCK).unwrap();
        fs::write(home.join("requirements.txt"), REQUIREMENTS).unwrap();
        program(&["npm"], "npm");
        program(&["python3"], "python3-venv");
        run(&home, "npm", &["ci", "--silent", "--no-audit", "--no-fund"]);
        run(&home, "python3", &["-m", "venv", "--clear", "python"]);
        let install = ["-m", "pip", "install", "--quiet", "--no-deps", "-r", "requirements.txt"];
        run(&home, "python/bin/python", &install);
        write_scripts(&home);
        fs::write(installed, wanted).unwrap();
        home
    })
}

/// The first of `names` that is installed; installs Debian's `package` when there is none.
pub(crate) fn program(names: &[&'static str], package: &str) -> &'static str {
    let is_there = |name: &&&str| Command::new(name).arg("--version").output().is_ok();
    if let Some(name) = names.iter().find(is_there) {
        return name;
    }
    let installed = Command::new("apt-get")
        .args(["install", "--yes", "--no-install-recommends", package])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output();
    let is_installed = installed.is_ok_and(|output| output.status.success());
    assert!(is_installed, "one of {names:?} has to be installed");
    names.iter().find(is_there).unwrap_or_else(|| panic!("{package} brings none of {names:?}"))
}

fn write_scripts(home: &Path) {
    for (name, script) in SCRIPTS {
        fs::write(home.join(name), script).unwrap();
    }
}

fn run(home: &Path, program: &str, arguments: &[&str]) {
    let path = if program.contains('/') { home.join(program) } else { program.into() };
    let output = Command::new(path).args(arguments).current_dir(home).output();
    let output = output.unwrap_or_else(|error| panic!("{program} has to be installed: {error}"));
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?} failed: {shown}");
}
