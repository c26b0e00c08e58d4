-- ?1 projection, ?2 source, ?3 epoch, ?4 owner, ?5 event, ?6 deaths
update checkpoints
set suspect = ?5, deaths = ?6, is_on_trial = 1
where projection_name = ?1 and stream_name = ?2 and epoch = ?3 and owner = ?4
