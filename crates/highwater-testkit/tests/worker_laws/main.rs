//! The laws of checkpoints, leases and read models are broken by broken stores.

mod broken;

use std::panic::{AssertUnwindSafe, catch_unwind};

use highwater_testkit::laws::{checkpoints, dead_letters, documents, leases, read_models};
use highwater_testkit::{Fixture, MemoryStore, prove};

use broken::{Broken, Defect};

struct Fresh(Broken);

impl Fixture for Fresh {
    type Store = Broken;

    fn store(&self) -> Broken {
        self.0.clone()
    }

    async fn reopen(&self) -> Broken {
        self.0.clone()
    }

    async fn finish(self) {}
}

/// Panics unless a store with the defect breaks the law.
fn assert_broken(defect: Defect, law: impl AsyncFnOnce(Broken)) {
    let fresh = async || Fresh(Broken::new(MemoryStore::new(), defect));
    let trial = AssertUnwindSafe(|| prove(fresh, async |fixture| law(fixture.store()).await));
    assert!(catch_unwind(trial).is_err(), "the law holds for a store that {defect:?}");
}

#[test]
fn a_store_that_takes_any_lease_is_found_out() {
    let defect = Defect::TakesAnyLease;
    assert_broken(defect, leases::a_lease_that_was_taken_over_moves_nothing);
    assert_broken(defect, leases::an_owner_who_acquires_again_gets_a_new_epoch);
    assert_broken(defect, leases::a_lease_on_a_deleted_row_does_not_hold_on_the_next);
    assert_broken(defect, read_models::a_lost_lease_commits_nothing);
    assert_broken(defect, read_models::a_successor_continues_the_read_model);
}

#[test]
fn a_store_that_does_not_compare_checkpoints_is_found_out() {
    let defect = Defect::ComparesNothing;
    assert_broken(defect, checkpoints::a_save_from_elsewhere_is_refused_and_names_both_places);
    assert_broken(defect, dead_letters::a_refused_save_records_no_dead_letter);
    assert_broken(defect, read_models::a_checkpoint_that_is_elsewhere_commits_nothing);
    assert_broken(defect, read_models::of_two_concurrent_commits_from_one_place_one_wins);
}

#[test]
fn a_store_that_writes_before_it_commits_is_found_out() {
    let defect = Defect::WritesAtOnce;
    assert_broken(defect, read_models::a_dropped_transaction_leaves_nothing);
    assert_broken(defect, read_models::a_checkpoint_that_is_elsewhere_commits_nothing);
}

#[test]
fn a_store_that_takes_prefixes_for_patterns_is_found_out() {
    let defect = Defect::MatchesPatterns;
    assert_broken(defect, documents::a_prefix_is_taken_literally);
}
