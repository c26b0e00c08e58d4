//! Processes: how much memory one has, and what a child of this program has to say.

use std::fs;

use tokio::process::Command;

use crate::Result;

/// The most memory that this process ever had, in MiB.
pub(crate) fn peak_mib() -> Result<f64> {
    Ok(kibibytes(&fs::read_to_string("/proc/self/status")?, "VmHWM:")? / 1024.0)
}

/// The memory that a process has now, in KiB.
pub(crate) fn resident_kib(process: u32) -> Result<f64> {
    kibibytes(&fs::read_to_string(format!("/proc/{process}/status"))?, "VmRSS:")
}

/// Runs this program with other arguments; returns the number that it prints.
pub(crate) async fn number_from_child(arguments: &[&str]) -> Result<f64> {
    let program = std::env::current_exe()?;
    let output = Command::new(program).args(arguments).output().await?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{} failed: {said}", arguments.join(" ")).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

/// Fails when this process may not open so many files.
pub(crate) fn may_open_files(needed: u64) -> Result {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()).ok_or("no such limit")?;
    match soft.parse::<u64>() {
        Ok(soft) if soft < needed => {
            Err(format!("{needed} files may be open at once: call `ulimit -n {needed}`").into())
        }
        // What is no number is no limit.
        _ => Ok(()),
    }
}

/// A number of a process status, which is in KiB.
fn kibibytes(status: &str, name: &str) -> Result<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or_else(|| format!("no {name}"))?.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_process_are_read_by_their_names() {
        let status = "VmPeak:\t 99 kB\nVmHWM:\t    2048 kB\n";
        assert_eq!(kibibytes(status, "VmHWM:").unwrap(), 2048.0);
        assert!(kibibytes(status, "VmRSS:").is_err());
    }
}
