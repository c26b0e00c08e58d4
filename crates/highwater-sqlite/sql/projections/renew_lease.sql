-- ?1 projection, ?2 source, ?3 epoch, ?4 owner, ?5 time to live in microseconds
update checkpoints
set lease_until = (select now from clock) + ?5
where projection_name = ?1 and stream_name = ?2 and epoch = ?3 and owner = ?4
returning rebuild_requested
