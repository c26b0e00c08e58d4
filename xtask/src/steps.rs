//! Runs the steps of a chore one after another and sums them up.

use std::time::{Duration, Instant};

use crate::Result;

/// The steps that have run so far.
#[derive(Debug, Default)]
pub(crate) struct Steps(Vec<Step>);

#[derive(Debug)]
struct Step {
    name: &'static str,
    time: Duration,
    error: Option<String>,
}

impl Steps {
    /// Runs one step; one that fails does not keep the later ones from running.
    pub(crate) fn run(&mut self, name: &'static str, step: impl FnOnce() -> Result) {
        println!("\n=== {name}");
        let start = Instant::now();
        let error = step().err().map(|error| error.to_string());
        let step = Step { name, time: start.elapsed(), error };
        println!("{}", line(&step));
        self.0.push(step);
    }

    /// Prints what became of each step; fails when one of them did.
    pub(crate) fn finish(self) -> Result {
        println!();
        self.0.iter().for_each(|step| println!("{}", line(step)));
        let failed: Vec<_> =
            self.0.iter().filter(|step| step.error.is_some()).map(|step| step.name).collect();
        if failed.is_empty() { Ok(()) } else { Err(format!("{} failed", failed.join(", ")).into()) }
    }
}

fn line(step: &Step) -> String {
    let seconds = step.time.as_secs_f64();
    let outcome = step.error.as_ref().map_or("ok".to_owned(), |error| format!("FAILED: {error}"));
    format!("=== {:10} {seconds:7.1} s  {outcome}", step.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_step_fails_the_chore_and_the_later_steps_still_run() {
        let mut steps = Steps::default();
        let mut ran = false;
        steps.run("one", || Err("no".into()));
        steps.run("two", || {
            ran = true;
            Ok(())
        });
        assert!(ran);
        assert_eq!(steps.finish().unwrap_err().to_string(), "one failed");
    }
}
