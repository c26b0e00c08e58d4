//! Measures several sides by turns, so that whatever else the machine does falls on all of them.

use std::time::Instant;

use crate::Result;
use crate::arguments::Plan;

/// The medians of two sides, in whatever unit was measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rates {
    /// Highwater.
    pub(crate) ours: f64,
    /// What it is compared with.
    pub(crate) raw: f64,
}

/// Runs both sides by turns, and returns the medians of what they return.
pub(crate) async fn alternate(
    plan: &Plan,
    mut ours: impl AsyncFnMut() -> Result<f64>,
    mut raw: impl AsyncFnMut() -> Result<f64>,
) -> Result<Rates> {
    let run = async |side| if side == 0 { ours().await } else { raw().await };
    let [ours, raw] = by_turns(plan, run).await?;
    Ok(Rates { ours: median(ours), raw: median(raw) })
}

/// Has `run` measure each side, given as its number, in every round; the first round is a
/// warm-up, of which nothing is returned.
pub(crate) async fn by_turns<const SIDES: usize, T>(
    plan: &Plan,
    mut run: impl AsyncFnMut(usize) -> Result<T>,
) -> Result<[Vec<T>; SIDES]> {
    let mut results = [const { Vec::new() }; SIDES];
    for round in 0..=plan.rounds {
        for turn in 0..SIDES {
            // Who goes first changes, so that no side always finds what another left behind.
            let side = (turn + round) % SIDES;
            let result = run(side).await?;
            if round > 0 {
                results[side].push(result);
            }
        }
    }
    Ok(results)
}

/// How many per second since `start`.
#[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
pub(crate) fn rate(count: u64, start: Instant) -> f64 {
    count as f64 / start.elapsed().as_secs_f64()
}

/// The number in the middle.
pub(crate) fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    if numbers.len() % 2 == 1 {
        numbers[middle]
    } else {
        (numbers[middle - 1] + numbers[middle]) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 4.0]), 4.0);
        assert_eq!(median(vec![9.0, 1.0, 4.0, 2.0]), 3.0);
    }
}
