-- $1 projection, $2 source; $3 milliseconds to wait for a lock
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
where projection_name = $1 and stream_name = $2
    and (select set_config('lock_timeout', $3, true)) is not null
