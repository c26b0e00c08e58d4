//! The report: tables with bars.

use std::fmt;

use crate::rounds::Rates;

/// The width of the longest bar, in characters.
const BAR: f64 = 24.0;

/// Parts of a character, from none to seven eighths.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// Everything that was measured.
#[derive(Debug)]
pub(crate) struct Report {
    date: String,
    machine: Vec<String>,
    pub(crate) sections: Vec<Section>,
}

/// A table.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) title: &'static str,
    /// What the numbers are, unless they are those of the section before.
    pub(crate) how: &'static str,
    pub(crate) rows: Vec<Row>,
}

/// One case.
#[derive(Debug)]
pub(crate) struct Row {
    case: String,
    ours: f64,
    limit: f64,
    verdict: String,
}

impl Row {
    /// Two rates, of which ours should be `target` times the other.
    pub(crate) fn rates(case: String, rates: Rates, target: Option<f64>) -> Self {
        let ratio = rates.ours / rates.raw;
        let verdict = match target {
            Some(target) if ratio >= target => format!("{ratio:.2} (target {target:.1})"),
            Some(target) => format!("**{ratio:.2}** (below {target:.1})"),
            None => format!("{ratio:.2}"),
        };
        Self { case, ours: rates.ours, limit: rates.raw, verdict }
    }

    /// Two numbers, of which ours should be no more than `limit`.
    pub(crate) fn at_most(case: String, rates: Rates, (limit, unit): (f64, &str)) -> Self {
        let verdict = if rates.ours <= limit { "within" } else { "**above**" };
        let verdict = format!("{verdict} {limit} {unit}").trim_end().to_owned();
        Self { case, ours: rates.ours, limit: rates.raw, verdict }
    }

    /// A number that should be no more than `limit`, and has nothing else to be compared with.
    pub(crate) fn limited(case: String, ours: f64, (limit, unit): (f64, &str)) -> Self {
        Self::at_most(case, Rates { ours, raw: limit }, (limit, unit))
    }
}

impl Report {
    /// A report of `date` without results.
    pub(crate) fn new(date: String, machine: Vec<String>) -> Self {
        Self { date, machine, sections: Vec::new() }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Benchmarks\n")?;
        writeln!(f, "Measured on {} with `cargo xtask bench`:\n", self.date)?;
        self.machine.iter().try_for_each(|line| writeln!(f, "- {line}"))?;
        writeln!(f, "\n{HOW}")?;
        self.sections.iter().try_for_each(|section| write!(f, "{section}"))
    }
}

const HOW: &str = "\
Every number is the median of rounds that alternate between Highwater and its raw limit: the same \
work by hand, without the guarantees. Ratios carry over to other machines, rates do not.";

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n## {}\n", self.title)?;
        if !self.how.is_empty() {
            writeln!(f, "{}\n", self.how)?;
        }
        writeln!(f, "| case | Highwater | raw limit | ratio | Highwater above, limit below |")?;
        writeln!(f, "|---|---:|---:|---|---|")?;
        self.rows.iter().try_for_each(|row| write_row(f, row))
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, row: &Row) -> fmt::Result {
    let Row { case, ours, limit, verdict } = row;
    let longest = ours.max(*limit);
    let bars = format!("{}<br>{}", bar(ours / longest), bar(limit / longest));
    writeln!(f, "| {case} | {} | {} | {verdict} | {bars} |", number(*ours), number(*limit))
}

/// A bar of `share` of the full width, to an eighth of a character.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the width")]
fn bar(share: f64) -> String {
    let eighths = (share.clamp(0.0, 1.0) * BAR * 8.0).round() as usize;
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

/// Without decimals and with commas, unless it is small.
fn number(n: f64) -> String {
    if n < 1.0 {
        return format!("{n:.3}");
    }
    if n < 100.0 {
        return format!("{n:.1}");
    }
    let digits = format!("{n:.0}");
    let mut text = String::new();
    for (i, digit) in digits.char_indices() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas_and_bars_have_eighths() {
        assert_eq!(number(1_234_567.4), "1,234,567");
        assert_eq!(number(61.26), "61.3");
        assert_eq!(number(0.0261), "0.026");
        assert_eq!(bar(1.0), "█".repeat(24));
        assert_eq!(bar(0.5 + 1.0 / 192.0), "█".repeat(12) + "▏");
        assert_eq!(bar(0.0), "");
    }

    #[test]
    fn a_ratio_below_its_target_stands_out() {
        let row = |ours| Row::rates("x".to_owned(), Rates { ours, raw: 100.0 }, Some(0.7));
        assert_eq!(row(70.0).verdict, "0.70 (target 0.7)");
        assert_eq!(row(69.0).verdict, "**0.69** (below 0.7)");
    }

    #[test]
    fn what_is_above_its_limit_stands_out() {
        let row = |ours| Row::limited("x".to_owned(), ours, (64.0, "MiB"));
        assert_eq!(row(64.0).verdict, "within 64 MiB");
        assert_eq!(row(64.1).verdict, "**above** 64 MiB");
    }
}
