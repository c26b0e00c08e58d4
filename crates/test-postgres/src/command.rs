//! Runs programs and keeps what they say for the error.

use std::process::Stdio;

use tokio::process::Command;

use crate::Error;

/// Runs `command` to its end; its output is shown only when it fails.
pub(crate) async fn run(command: &mut Command) -> Result<(), Error> {
    let program = command.as_std().get_program().display().to_string();
    let result = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = match result {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => output,
        Err(source) => return Err(Error::Start { program, source }),
    };
    let said = [output.stdout, output.stderr].concat();
    Err(Error::Program { program, output: String::from_utf8_lossy(&said).trim().to_owned() })
}
