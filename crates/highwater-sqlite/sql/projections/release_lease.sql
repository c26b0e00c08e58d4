-- ?1 projection, ?2 source, ?3 epoch, ?4 owner
update checkpoints
set owner = null, lease_until = null
where projection_name = ?1 and stream_name = ?2 and epoch = ?3 and owner = ?4
