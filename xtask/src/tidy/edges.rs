//! Crates meet in `highwater-core`, and do not know each other.

use super::manifest::Manifest;

const CORE: &str = "highwater-core";

/// Crates that put the others together.
const ASSEMBLIES: [&str; 3] = ["highwater", "sample-app", "bench"];

/// Crates that every crate may test with.
const TEST_CRATES: [&str; 3] = ["highwater-testkit", "test-postgres", "test-programs"];

/// The one crate for tests that needs what another one finds.
const TEST_EDGE: (&str, &str) = ("test-postgres", "test-programs");

/// The edges between crates of the workspace that should not be.
pub(super) fn check(manifests: &[Manifest]) -> Vec<String> {
    let is_ours = |name: &String| manifests.iter().any(|manifest| manifest.name == *name);
    let wrong = manifests.iter().flat_map(|from| {
        let built = from.dependencies.iter().filter(|on| !may_build_on(&from.name, on));
        let tested = from.dev_dependencies.iter().filter(|on| !may_test_with(&from.name, on));
        built.chain(tested).map(move |on| (&from.name, on))
    });
    wrong
        .filter(|(_, on)| is_ours(on))
        .map(|(from, on)| format!("{from} must not depend on {on}: crates meet in {CORE}"))
        .collect()
}

fn may_build_on(from: &str, on: &str) -> bool {
    let is_on_core = on == CORE && from.starts_with("highwater-");
    ASSEMBLIES.contains(&from) || is_on_core || (from, on) == TEST_EDGE
}

fn may_test_with(from: &str, on: &str) -> bool {
    may_build_on(from, on) || TEST_CRATES.contains(&on)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_assemblies_and_tests_know_the_siblings() {
        assert!(may_build_on("highwater-live", CORE));
        assert!(may_build_on("sample-app", "highwater"));
        assert!(!may_build_on("highwater-live", "highwater-postgres"));
        assert!(!may_build_on("highwater-live", "highwater-testkit"));
        assert!(!may_build_on("xtask", CORE));
        assert!(may_build_on("test-postgres", "test-programs"));
        assert!(!may_build_on("highwater-live", "test-programs"));
        assert!(may_test_with("highwater-live", "highwater-testkit"));
        assert!(!may_test_with("highwater-live", "highwater-projection"));
    }
}
