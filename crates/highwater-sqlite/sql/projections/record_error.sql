-- ?1 projection, ?2 source, ?3 epoch, ?4 owner, ?5 error
update checkpoints
set last_error = ?5, last_error_at = (select now from clock)
where projection_name = ?1 and stream_name = ?2 and epoch = ?3 and owner = ?4
