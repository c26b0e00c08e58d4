-- $1 projection, $2 source, $3 to, $4 event there
update highwater.projection_checkpoints set
    last_processed_offset = $3,
    last_event_id = $4,
    last_updated = clock_timestamp(),
    last_error = null,
    last_error_at = null,
    suspect = null,
    deaths = 0,
    is_on_trial = false
where projection_name = $1 and stream_name = $2
