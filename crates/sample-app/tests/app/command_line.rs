//! What the program says about itself and about what it does not understand.

use std::process::{Command, Output};

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sample-app"));
    command.args(args).env_remove("DATABASE_URL").output().unwrap()
}

#[test]
fn help_and_version_are_printed() {
    let help = run(&["--help"]);
    assert_eq!(help.status.code(), Some(0));
    assert!(String::from_utf8(help.stdout).unwrap().starts_with("Usage: sample-app"));
    let version = run(&["import", "-V"]);
    assert_eq!(version.status.code(), Some(0));
    assert!(String::from_utf8(version.stdout).unwrap().starts_with("sample-app 0."));
}

#[test]
fn what_is_not_understood_ends_with_2_and_the_usage() {
    for args in [&["--colour"][..], &["--port", "many"], &["import"], &["export", "x"]] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("Usage: sample-app"));
    }
}

#[test]
fn a_database_or_a_file_that_cannot_be_used_ends_with_1_and_shows_no_password() {
    let output = run(&["--database-url", "mysql://ada:s3cret@db/app"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("mysql://db/app: not a sqlite: or postgres:// URL"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");

    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("test.db").display());
    let output = run(&["--database-url", &url, "import", "no-such-file"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("no-such-file: "));
}

#[test]
fn a_database_that_cannot_be_opened_is_named_and_its_flaw_is_told_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("no.db");
    std::fs::write(&file, "no database ".repeat(500)).unwrap();
    let url = format!("sqlite:{}", file.display());
    let output = run(&["--database-url", &url, "--port", "0"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(&format!("cannot open {url}: ")), "{said}");
    assert_eq!(said.matches("file is not a database").count(), 1, "{said}");
}
