-- $1 projection, $2 source, $3 epoch, $4 owner; $5 milliseconds to wait for a lock
with reset as (
    update highwater.projection_checkpoints set
        last_processed_offset = -1,
        events_processed = 0,
        last_updated = clock_timestamp(),
        last_error = null,
        last_error_at = null,
        rebuild_requested = false,
        last_event_id = null,
        suspect = null,
        deaths = 0,
        is_on_trial = false
    where projection_name = $1 and stream_name = $2 and epoch = $3 and owner = $4
        and (select set_config('lock_timeout', $5, true)) is not null
    returning projection_name, stream_name
), forgotten as (
    delete from highwater.dead_letters l using reset
    where l.projection_name = reset.projection_name and l.stream_name = reset.stream_name
)
select from reset
