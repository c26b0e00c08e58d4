-- ?1 projection, ?2 source, ?3 epoch, ?4 owner, ?5 from, ?6 to, ?7 events processed,
-- ?8 event at ?6
update checkpoints
set last_processed_offset = ?6, events_processed = events_processed + ?7,
    last_event_id = ?8, suspect = null, deaths = 0, is_on_trial = 0,
    last_error = null, last_error_at = null, last_updated = (select now from clock)
where projection_name = ?1 and stream_name = ?2 and epoch = ?3 and owner = ?4
    and last_processed_offset = ?5
