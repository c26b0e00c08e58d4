//! The list of the laws, and the macro that makes tests of it.

/// Makes one test of every law, each on a fresh store.
///
/// The expression is a function, given by its path, that makes the store: an async one without
/// arguments that returns a [`Fixture`](crate::fixture::Fixture). The groups are
///
/// - `events:` for an [`EventStore`](highwater_core::EventStore),
/// - `checkpoints:` for a [`CheckpointStore`](highwater_core::CheckpointStore),
/// - `read_models:` for a [`ProjectionStore`](highwater_core::ProjectionStore), beside
///   `checkpoints:`,
/// - `sagas:` for a [`SagaStore`](highwater_core::SagaStore) that is an `EventStore` too,
/// - `calls:` for a store that is all of these: callers that go away, or are not polled, hold up
///   nobody. To mean something the store must have as few connections as it can work with,
/// - `all:` for the first three.
///
/// The whole test file of a backend:
///
/// ```
/// mod support {
///     pub async fn fresh() -> highwater_testkit::MemoryStore {
///         highwater_testkit::MemoryStore::new()
///     }
/// }
/// highwater_testkit::conformance!(all: support::fresh);
/// ```
///
/// Invoke it in a module of its own when a file proves several stores.
#[macro_export]
macro_rules! conformance {
    (all: $fresh:path) => {
        $crate::conformance!(events: $fresh);
        $crate::conformance!(checkpoints: $fresh);
        $crate::conformance!(read_models: $fresh);
    };
    (events: $fresh:path) => {
        $crate::__prove!($fresh, append:
            an_append_returns_where_its_events_are
            an_append_to_several_streams_is_all_or_nothing
            every_expectation_is_checked_and_a_conflict_names_the_head
            of_many_writers_who_expect_no_stream_one_succeeds
            offsets_are_gapless_under_concurrent_writers
            a_request_that_breaks_a_rule_changes_nothing
            an_append_as_large_as_the_limits_is_taken
            an_append_to_many_streams_reaches_each
            a_probe_leaves_no_event_behind
            the_clock_is_that_of_the_events
        );
        $crate::__prove!($fresh, idempotence:
            a_repeated_append_returns_the_first_result_and_stores_nothing
            a_repetition_succeeds_although_its_expectation_no_longer_holds
            concurrent_repetitions_of_one_append_store_it_once
            an_id_that_stands_for_another_event_is_refused
            an_append_of_which_only_a_part_is_known_is_refused
            a_payload_that_is_spelled_differently_is_the_same
        );
        $crate::__prove!($fresh, fidelity:
            payloads_survive_byte_for_byte
            what_some_reader_cannot_decode_is_refused
            events_come_back_as_they_were_appended
            names_that_differ_in_case_or_accent_are_different
        );
        $crate::__prove!($fresh, read:
            a_read_begins_behind_after_and_stops_at_the_limit
            a_limit_of_zero_is_refused
            an_unknown_source_is_an_empty_one
            positions_increase_in_the_order_of_appends
            a_type_filter_returns_only_these_types
            a_category_holds_its_streams_and_no_namesakes
            reading_on_from_scanned_to_visits_every_event_once
            a_filter_that_matches_nothing_is_scanned_to_the_head
            the_head_is_the_last_event_and_for_a_category_that_of_the_log
        );
        $crate::__prove!($fresh, pages:
            pages_of_large_events_are_bounded_and_visit_each_once
        );
        $crate::__prove!($fresh, concurrent:
            readers_deliver_exactly_what_was_committed_in_order
            a_dropped_append_was_made_whole_or_not_at_all
        );
        $crate::__prove!($fresh, wake:
            an_append_wakes_a_reader_that_waits
            a_wake_taken_before_a_read_misses_no_append
            a_reader_that_only_reads_when_woken_sees_every_event
            an_import_wakes_a_reader_too
        );
        $crate::__prove!($fresh, import:
            an_import_keeps_the_order_of_each_stream
            a_repeated_import_appends_nothing
            an_import_leaves_out_what_is_known_and_appends_the_rest
            an_import_with_a_taken_id_changes_nothing
            imports_and_appends_mix_without_gaps
        );
        $crate::__prove!($fresh, reopen of the fixture:
            a_store_that_is_opened_again_has_the_same_events
            the_appends_of_two_handles_make_one_log
            an_append_through_one_handle_wakes_a_reader_of_another
        );
    };
    (checkpoints: $fresh:path) => {
        $crate::__prove!($fresh, checkpoints:
            a_checkpoint_is_made_by_the_first_lease
            a_save_moves_the_checkpoint_and_counts_events
            a_save_from_elsewhere_is_refused_and_names_both_places
            a_save_backwards_is_refused
            checkpoints_of_different_keys_are_independent
            checkpoints_are_listed_in_the_order_of_their_bytes
            a_reset_returns_to_nothing_processed
            a_deleted_checkpoint_is_gone_and_its_lease_lost
            an_error_is_kept_until_the_checkpoint_moves
            a_requested_rebuild_reaches_whoever_runs_the_projection
            a_checkpoint_keeps_the_event_that_it_stands_at
            a_rebase_moves_the_checkpoint_anywhere_and_leaves_its_lease
        );
        $crate::__prove!($fresh, leases:
            one_of_many_owners_gets_the_lease
            a_released_lease_is_taken_at_once_and_moves_nothing
            an_owner_who_acquires_again_gets_a_new_epoch
            a_lease_that_was_taken_over_moves_nothing
            an_expired_lease_that_nobody_took_still_moves_the_checkpoint
            a_renewed_lease_is_not_taken_over
            an_epoch_is_never_given_twice
            a_lease_on_a_deleted_row_does_not_hold_on_the_next
            a_lease_of_no_time_is_refused
            competing_workers_move_a_checkpoint_once_for_every_save
            a_lease_that_expired_leaves_a_suspect_until_the_checkpoint_moves
            a_lease_that_was_given_back_or_renewed_leaves_no_suspect
        );
        $crate::__prove!($fresh, leases of the fixture:
            checkpoints_and_leases_outlive_their_handle
        );
        $crate::__prove!($fresh, dead_letters:
            dead_letters_are_recorded_with_the_advance
            a_refused_save_records_no_dead_letter
            dead_letters_are_listed_by_offset_and_in_pages
            dead_letters_of_different_keys_are_independent
            a_dead_letter_that_is_recorded_again_replaces_the_first
            a_rebuild_begins_under_the_lease_and_forgets_dead_letters
            dead_letters_are_counted_up_to_a_bound
        );
        $crate::__prove!($fresh, pages:
            pages_of_long_dead_letters_are_bounded
        );
    };
    (read_models: $fresh:path) => {
        $crate::__prove!($fresh, read_models:
            a_commit_writes_documents_and_checkpoint_together
            a_dropped_transaction_leaves_nothing
            a_lost_lease_commits_nothing
            a_checkpoint_that_is_elsewhere_commits_nothing
            of_two_concurrent_commits_from_one_place_one_wins
            a_take_over_sees_a_commit_or_prevents_it
            clearing_empties_only_the_own_read_model
            a_reset_with_a_clear_starts_over
            only_what_may_pass_by_itself_is_transient
            a_successor_continues_the_read_model
        );
        $crate::__prove!($fresh, documents:
            documents_are_overwritten_and_removed
            documents_keep_their_value
            documents_that_are_missing_are_left_out
            a_scan_is_ordered_by_bytes_and_read_in_pages
            a_prefix_is_taken_literally
            a_batch_of_five_thousand_documents_commits
            a_key_that_breaks_the_rules_is_refused
        );
        $crate::__prove!($fresh, pages:
            pages_of_large_documents_are_bounded
        );
    };
    (sagas: $fresh:path) => {
        $crate::__prove!($fresh, sagas:
            a_created_saga_stands_at_its_beginning
            creating_a_saga_again_returns_the_first
            an_id_that_stands_for_another_saga_is_refused
            of_many_who_create_one_saga_one_does
            a_saga_and_the_events_it_starts_with_commit_together
            a_transition_and_its_events_commit_together
            a_transition_replaces_the_progress_as_a_whole
            a_final_saga_says_when_it_ended
            the_entries_of_a_batch_succeed_or_fail_alone
        );
        $crate::__prove!($fresh, sagas of the fixture:
            sagas_outlive_their_handle
        );
        $crate::__prove!($fresh, saga_leases:
            a_claim_starts_the_saga_under_a_lease
            of_many_workers_each_saga_goes_to_one
            a_saga_can_be_created_under_a_lease
            a_worker_gets_only_what_it_can_run
            an_expired_lease_is_taken_over
            a_zombie_changes_nothing
            an_expired_lease_that_nobody_took_still_moves_its_saga
            a_renewed_lease_is_kept
            a_repeated_transition_is_made_once
            a_timer_makes_a_saga_due_and_is_told_at_the_claim
            a_claim_gives_out_no_more_bytes_than_it_asks_for
            a_deadline_makes_a_saga_due_unless_it_is_unwinding
            a_claim_of_nothing_is_refused
            the_longest_due_is_claimed_first
        );
        $crate::__prove!($fresh, saga_requests:
            a_request_is_seen_by_whoever_runs_the_saga
            a_withdrawn_request_is_not_obeyed
            a_request_that_the_state_does_not_allow_is_refused
            a_request_makes_a_resting_saga_due
        );
        $crate::__prove!($fresh, saga_search:
            sagas_are_found_by_what_is_known_of_them
            a_search_is_read_in_pages_newest_first
            sagas_that_do_not_go_on_are_counted
        );
        $crate::__prove!($fresh, pages:
            searches_of_large_sagas_are_bounded
            claims_of_large_sagas_are_bounded
        );
        $crate::__prove!($fresh, saga_signals:
            a_signal_wakes_the_saga_that_waits_for_it
            a_signal_that_comes_early_is_kept
            a_signal_stays_until_it_is_used_up
            a_signal_that_is_delivered_again_counts_once
            a_signal_for_something_else_wakes_nobody
            a_signal_goes_to_one_saga
            whoever_delivers_a_signal_is_told_what_becomes_of_it
            one_event_may_be_a_signal_to_several_sagas
            a_signal_whose_taker_gives_up_goes_to_the_next
            a_signal_that_is_left_meets_the_wait_of_the_next
            a_signal_that_meets_the_wait_is_not_missed
            whatever_makes_a_saga_due_wakes_the_workers
        );
    };
    (calls: $fresh:path) => {
        $crate::__prove!($fresh, calls of the fixture:
            dropped_calls_leave_nothing_open
            an_append_that_nobody_polls_stops_nobody
            a_read_that_nobody_polls_holds_no_connection
            a_begin_that_nobody_polls_stops_nobody
        );
    };
}

/// One test for each law of a group; most laws need one store, some the whole fixture.
#[doc(hidden)]
#[macro_export]
macro_rules! __prove {
    ($fresh:path, $group:ident: $($law:ident)*) => {$(
        #[test]
        fn $law() {
            $crate::prove($fresh, async |fixture| {
                $crate::laws::$group::$law($crate::Fixture::store(fixture)).await;
            });
        }
    )*};
    ($fresh:path, $group:ident of the fixture: $($law:ident)*) => {$(
        #[test]
        fn $law() {
            $crate::prove($fresh, async |fixture| $crate::laws::$group::$law(fixture).await);
        }
    )*};
}
