//! Cargo, run as from a shell.

use xshell::{Cmd, Shell, cmd};

/// Cargo without what `cargo run` has told this program about itself.
///
/// Some build scripts, that of `ring` for one, are run again when they see other values than the
/// last time, and all that depends on them is compiled again: minutes for each change between
/// `cargo xtask` and `cargo`.
pub(crate) fn cargo(sh: &Shell) -> Cmd<'_> {
    as_from_a_shell(cmd!(sh, "cargo"))
}

/// The command without the variables that describe this package.
pub(crate) fn as_from_a_shell(cmd: Cmd<'_>) -> Cmd<'_> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| describes_a_package(name)).fold(cmd, Cmd::env_remove)
}

fn describes_a_package(name: &str) -> bool {
    ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cargo_says_of_a_package_is_left_out() {
        let left_out = ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_VERSION"];
        assert!(left_out.into_iter().all(describes_a_package));
        let kept = ["CARGO_TARGET_DIR", "CARGO_INCREMENTAL", "CARGO_HOME", "RUSTFLAGS"];
        assert!(!kept.into_iter().any(describes_a_package));
    }
}
