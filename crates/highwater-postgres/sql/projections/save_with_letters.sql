-- $1 projection, $2 source, $3 epoch, $4 owner, $5 from, $6 to, $7 events processed,
-- $8 event at $6; of each dead letter: $9 offset, $10 stream, $11 position, $12 event id, $13 type,
-- $14 error, $15 attempts
-- $16 milliseconds to wait for a lock
with moved as (
    update highwater.projection_checkpoints set
        last_processed_offset = $6,
        events_processed = events_processed + $7,
        last_updated = clock_timestamp(),
        last_error = null,
        last_error_at = null,
        last_event_id = $8,
        suspect = null,
        deaths = 0,
        is_on_trial = false
    where projection_name = $1 and stream_name = $2 and epoch = $3 and owner = $4
        and last_processed_offset = $5
        and (select set_config('lock_timeout', $16, true)) is not null
    returning projection_name, stream_name
), letters as (
    insert into highwater.dead_letters (
        projection_name, stream_name, "offset", event_stream, position, event_id, event_type,
        error, attempts
    )
    select
        moved.projection_name, moved.stream_name, l."offset", l.stream, l.position, l.id, l.type,
        l.error, l.attempts
    from moved, unnest($9::bigint[], $10::text[], $11::bigint[], $12::uuid[], $13::text[],
        $14::text[], $15::bigint[]) as l("offset", stream, position, id, type, error, attempts)
    on conflict (projection_name, stream_name, "offset") do update set
        event_stream = excluded.event_stream,
        position = excluded.position,
        event_id = excluded.event_id,
        event_type = excluded.event_type,
        error = excluded.error,
        attempts = excluded.attempts,
        recorded_at = excluded.recorded_at
)
select from moved
