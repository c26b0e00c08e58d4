-- ?1 projection, ?2 source; ?3 epoch, ?4 owner, or neither for whoever holds the lease
update checkpoints
set last_processed_offset = -1, events_processed = 0, last_error = null, last_error_at = null,
    rebuild_requested = 0, last_event_id = null, suspect = null, deaths = 0, is_on_trial = 0,
    last_updated = (select now from clock)
where projection_name = ?1 and stream_name = ?2
    and (?3 is null or (epoch = ?3 and owner = ?4))
