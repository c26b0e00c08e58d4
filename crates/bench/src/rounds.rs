//! Measures two sides by turns, so that whatever else the machine does falls on both.

use std::time::Instant;

use crate::Result;
use crate::arguments::Plan;

/// The medians of both sides, in events per second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rates {
    /// Highwater.
    pub(crate) ours: f64,
    /// Plain SQL.
    pub(crate) raw: f64,
}

/// Runs both sides by turns, first one round as a warm-up; each returns events per second.
pub(crate) async fn alternate(
    plan: &Plan,
    mut ours: impl AsyncFnMut() -> Result<f64>,
    mut raw: impl AsyncFnMut() -> Result<f64>,
) -> Result<Rates> {
    let (mut of_ours, mut of_raw) = (Vec::new(), Vec::new());
    for round in 0..=plan.rounds {
        // Who goes first changes, so that neither side always finds what the other left behind.
        let (one, two) = if round % 2 == 0 {
            let one = ours().await?;
            (one, raw().await?)
        } else {
            let two = raw().await?;
            (ours().await?, two)
        };
        if round > 0 {
            of_ours.push(one);
            of_raw.push(two);
        }
    }
    Ok(Rates { ours: median(of_ours), raw: median(of_raw) })
}

/// Events per second since `start`.
#[expect(clippy::cast_precision_loss, reason = "a rate needs no 53 bits")]
pub(crate) fn rate(events: u64, start: Instant) -> f64 {
    events as f64 / start.elapsed().as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    let middle = rates.len() / 2;
    if rates.len() % 2 == 1 { rates[middle] } else { (rates[middle - 1] + rates[middle]) / 2.0 }
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
