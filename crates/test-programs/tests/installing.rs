//! What becomes of programs that are missing, seen from processes that need them.
//!
//! `PATH` leads to a package manager that puts programs into a directory, and that refuses to run
//! twice at once as the real one does.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Refuses to run twice at once; finds no package before there are lists.
const APT_GET: &str = r#"#!/bin/sh
mkdir "$HERE/busy" || { echo "E: Could not get lock; held by process 1"; touch "$HERE/collided"; exit 100; }
echo "$*" | sed 's/.*Acquire::Retries=3 //' >> "$HERE/calls"
case "$*" in
    *update*) touch "$HERE/lists/x_Packages.lz4" ;;
    *) [ -e "$HERE/lists/x_Packages.lz4" ] && [ ! -e "$HERE/old" ] || failed=1
       [ -n "$failed" ] || { printf '#!/bin/sh\n' > "$HERE/chromium"; chmod +x "$HERE/chromium"; } ;;
esac
rm -f "$HERE/old"
sleep 0.2
rmdir "$HERE/busy"
[ -z "$failed" ] || { echo "E: Unable to locate package"; exit 100; }
"#;

struct Machine(TempDir);

impl Machine {
    /// One without the program that is asked for, used by the user of this id.
    fn of_user(id: u32) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let here = dir.path().display().to_string();
        let machine = Self(dir);
        machine.program("apt-get", APT_GET);
        machine.program("id", &format!("#!/bin/sh\necho {id}\n"));
        machine.program("apt-config", &format!("#!/bin/sh\necho \"lists='{here}/lists/'\"\n"));
        for tool in ["mkdir", "rmdir", "rm", "touch", "chmod", "sleep", "sed"] {
            let found = ["/bin", "/usr/bin"].map(|dir| Path::new(dir).join(tool));
            let found = found.into_iter().find(|path| path.exists()).expect("a usual tool");
            std::os::unix::fs::symlink(found, machine.0.path().join(tool)).expect("a link");
        }
        fs::create_dir(machine.0.path().join("lists")).expect("a directory");
        machine
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.0.path().join(name);
        fs::write(&path, script).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its owner may");
    }

    fn has(&self, name: &str) -> bool {
        self.0.path().join(name).exists()
    }

    fn calls(&self) -> Vec<String> {
        let calls = fs::read_to_string(self.0.path().join("calls")).unwrap_or_default();
        calls.lines().map(str::to_owned).collect()
    }

    /// A process that needs the browser.
    fn start(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_test-programs"));
        command.arg("chromium").env("PATH", self.0.path()).env("TMPDIR", self.0.path());
        command.env("HERE", self.0.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self) -> Output {
        self.start().output().expect("it starts")
    }
}

const INSTALL: &str = "install --no-install-recommends chromium";

#[test]
fn processes_that_need_the_same_at_the_same_moment_install_it_once() {
    let machine = Machine::of_user(0);
    let start = |_| machine.start().spawn().expect("it starts");
    let processes: Vec<_> = (0..4).map(start).collect();
    for process in processes {
        let output = process.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{output:?}");
    }
    assert!(!machine.has("collided"));
    assert_eq!(machine.calls(), ["update", INSTALL]);
}

#[test]
fn what_is_installed_is_told_and_what_is_there_is_not_installed() {
    let machine = Machine::of_user(0);
    let said = String::from_utf8(machine.run().stderr).expect("text");
    assert!(said.contains("installing Debian's chromium"), "{said}");
    let calls = machine.calls().len();
    assert!(machine.run().stderr.is_empty());
    assert_eq!(machine.calls().len(), calls);
}

#[test]
fn lists_that_have_become_old_are_fetched_anew_when_a_package_is_gone() {
    let machine = Machine::of_user(0);
    fs::write(machine.0.path().join("lists/x_Packages.lz4"), "").expect("a file");
    fs::write(machine.0.path().join("old"), "").expect("a file");
    let output = machine.run();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(machine.calls(), [INSTALL, "update", INSTALL]);
}

#[test]
fn a_package_manager_in_use_is_waited_for() {
    let machine = Machine::of_user(0);
    fs::create_dir(machine.0.path().join("busy")).expect("a directory");
    let process = machine.start().spawn().expect("it starts");
    let deadline = Instant::now() + Duration::from_secs(60);
    while !machine.has("collided") {
        assert!(Instant::now() < deadline, "it does not try");
        std::thread::yield_now();
    }
    fs::remove_dir(machine.0.path().join("busy")).expect("it is there");
    let output = process.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn who_may_not_install_is_told_what_to_install() {
    let machine = Machine::of_user(1000);
    let output = machine.run();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).expect("text");
    assert!(said.contains("`apt-get install chromium`") && said.contains("macOS"), "{said}");
    assert_eq!(machine.calls(), Vec::<String>::new());
}
