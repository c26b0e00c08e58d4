//! The list of the laws, and the macro that makes tests of it.

/// Makes one test of every law, each on a fresh store.
///
/// The expression is a function, given by its path, that makes the store: an async one without
/// arguments that returns a [`Fixture`](crate::Fixture). The groups are
///
/// - `events:` for an [`EventStore`](highwater_core::EventStore),
/// - `checkpoints:` for a [`CheckpointStore`](highwater_core::CheckpointStore),
/// - `read_models:` for a [`ProjectionStore`](highwater_core::ProjectionStore), beside
///   `checkpoints:`,
/// - `all:` for all three.
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
    (checkpoints: $fresh:path) => {};
    (read_models: $fresh:path) => {};
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
