//! How much memory a long catch-up takes, in a process of its own.

use std::time::Instant;

use tokio::process::Command;

use crate::arguments::{Arguments, Plan};
use crate::report::Row;
use crate::{Result, pg_store, seed, view};

/// The most that it may take.
const LIMIT_MIB: f64 = 64.0;

/// Where the long log is, apart from the one that is measured for speed.
const SCHEMA: &str = "bench_long";

/// Appends the long log and lets another process catch up with it.
pub(crate) async fn peak(plan: &Plan) -> Result<Row> {
    seed::seed(&pg_store(&plan.url, SCHEMA).await?, plan.long_events).await?;
    let start = Instant::now();
    let program = std::env::current_exe()?;
    let output = Command::new(program).arg(Arguments::CATCH_UP).output().await?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the catch-up failed: {said}").into());
    }
    let mib: f64 = String::from_utf8(output.stdout)?.trim().parse()?;
    let seconds = start.elapsed().as_secs_f64();
    let case = format!("peak memory, view of {} events in {seconds:.0} s", plan.long_events);
    Ok(Row::memory(case, mib, LIMIT_MIB))
}

/// The other process: catches up and prints the most memory it ever had, in MiB.
pub(crate) async fn catch_up(url: &str) -> Result {
    view::catch_up(&pg_store(url, SCHEMA).await?).await?;
    println!("{:.1}", peak_mib(&std::fs::read_to_string("/proc/self/status")?)?);
    Ok(())
}

/// `VmHWM` of a process status, which is in KiB.
fn peak_mib(status: &str) -> Result<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmHWM")?;
    Ok(number.parse::<f64>()? / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_read_in_kibibytes() {
        assert_eq!(peak_mib("VmPeak:\t 99 kB\nVmHWM:\t    2048 kB\n").unwrap(), 2.0);
        assert!(peak_mib("VmPeak:\t 99 kB\n").is_err());
    }
}
