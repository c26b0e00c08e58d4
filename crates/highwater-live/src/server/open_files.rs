//! How many connections the limit on open files leaves room for.

/// Files that are left to others at least, such as to the database.
const OTHERS: usize = 64;

/// The most connections, of which each is an open file; a quarter of the files is left to others.
pub(super) fn room() -> usize {
    let Some(limit) = limit() else { return usize::MAX };
    limit.saturating_sub((limit / 4).max(OTHERS)).max(limit / 4).max(1)
}

/// The limit that this process is under; `None` when there is none or it is not known.
fn limit() -> Option<usize> {
    parse(&std::fs::read_to_string("/proc/self/limits").ok()?)
}

fn parse(limits: &str) -> Option<usize> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_counts() {
        let limits = "Limit    Soft Limit   Hard Limit   Units\n\
                      Max processes             63432     63432     processes\n\
                      Max open files            1024      1048576   files\n";
        assert_eq!(parse(limits), Some(1024));
        assert_eq!(parse("Max open files            unlimited unlimited files"), None);
        assert!(room() > 0);
    }
}
