-- ?1 projection, ?2 source, ?3 to, ?4 event there
update checkpoints
set last_processed_offset = ?3, last_event_id = ?4, suspect = null, deaths = 0, is_on_trial = 0,
    last_error = null, last_error_at = null, last_updated = (select now from clock)
where projection_name = ?1 and stream_name = ?2
