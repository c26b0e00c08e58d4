//! Cuts a page into the parts that are applied, and narrows a failed part down to one event.

use std::ops::Range;

/// Where in a page the application stands, and how much of it is tried next.
///
/// Pure: it is told what became of each part and says what to try. After a failure it halves
/// the part until the event at fault stands alone, so that the events before it are committed
/// and only it is retried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bisection {
    /// Events of the page.
    len: usize,
    /// The first event that is not done.
    at: usize,
    /// Events in a part when nothing is wrong.
    step: usize,
    /// The end of a part that has failed and is not done yet; `at` or less when there is none.
    suspect_end: usize,
    /// Events in the next part while there are suspects.
    size: usize,
    /// Failures of the event at `at` when it was tried alone.
    attempts: u32,
}

/// Consequence of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// A smaller part is tried at once.
    Narrowed,
    /// An event stood alone and has failed this often.
    Alone(u32),
}

impl Bisection {
    /// A page of `len` events in parts of `step`.
    pub(crate) fn new(len: usize, step: usize) -> Self {
        Self { len, at: 0, step: step.max(1), suspect_end: 0, size: 0, attempts: 0 }
    }

    /// The part to try next, or `None` when the page is done.
    pub(crate) fn next(&self) -> Option<Range<usize>> {
        let size = if self.at < self.suspect_end { self.size } else { self.step };
        (self.at < self.len).then(|| self.at..(self.at + size).min(self.len))
    }

    /// The part is done, applied or passed over.
    pub(crate) fn done(&mut self) {
        if let Some(part) = self.next() {
            self.at = part.end;
            self.attempts = 0;
            self.size = (self.suspect_end.saturating_sub(self.at) / 2).max(1);
        }
    }

    /// The part failed; `culprit` is the index within it of the event at fault, where known.
    pub(crate) fn failed(&mut self, culprit: Option<usize>) -> Failed {
        let part = self.next().unwrap_or(self.at..self.at);
        if part.len() <= 1 {
            self.attempts += 1;
            return Failed::Alone(self.attempts);
        }
        match culprit.filter(|index| *index < part.len()) {
            Some(index) => {
                self.suspect_end = part.start + index + 1;
                self.size = index.max(1);
            }
            None => {
                self.suspect_end = part.end;
                self.size = part.len() / 2;
            }
        }
        Failed::Narrowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Applies a page in which every part with one of `poison` fails; the parts that were done,
    /// the events that failed alone, and the number of tries.
    fn run(len: usize, step: usize, poison: &[usize], told: bool) -> (Vec<usize>, usize) {
        let mut cut = Bisection::new(len, step);
        let (mut alone, mut tries, mut end) = (Vec::new(), 0, 0);
        while let Some(part) = cut.next() {
            assert_eq!(part.start, end, "parts follow each other");
            tries += 1;
            let culprit = part.clone().position(|event| poison.contains(&event));
            match culprit.map(|index| cut.failed(told.then_some(index))) {
                Some(Failed::Narrowed) => continue,
                Some(Failed::Alone(attempts)) => {
                    assert_eq!((attempts, part.len()), (1, 1));
                    alone.push(part.start);
                }
                None => {}
            }
            end = part.end;
            cut.done();
        }
        assert_eq!(end, len);
        (alone, tries)
    }

    #[test]
    fn every_poison_event_is_found_alone_and_all_others_are_done() {
        for len in [0, 1, 2, 3, 8, 13] {
            for mask in 0..1_u32 << len {
                let poison: Vec<usize> = (0..len).filter(|n| mask >> n & 1 == 1).collect();
                for (step, told) in [(len, false), (len, true), (1, false), (3, true)] {
                    assert_eq!(run(len, step, &poison, told).0, poison, "{len} {step} {told}");
                }
            }
        }
    }

    #[test]
    fn one_poison_event_costs_a_handful_of_tries() {
        let (_, tries) = run(1000, 1000, &[637], false);
        assert!(tries <= 22, "{tries}");
        assert_eq!(run(1000, 1000, &[637], true).1, 4, "all, those before, it, those behind");
        assert_eq!(run(1000, 1000, &[], false).1, 1);
    }

    #[test]
    fn attempts_count_for_one_event_only() {
        let mut cut = Bisection::new(2, 1);
        assert_eq!(cut.failed(None), Failed::Alone(1));
        assert_eq!(cut.failed(Some(0)), Failed::Alone(2));
        cut.done();
        assert_eq!(cut.failed(None), Failed::Alone(1));
    }
}
