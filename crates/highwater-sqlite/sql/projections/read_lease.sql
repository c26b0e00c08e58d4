-- ?1 projection, ?2 source, ?3 epoch, ?4 owner
select last_processed_offset
from checkpoints
where projection_name = ?1 and stream_name = ?2 and epoch = ?3 and owner = ?4
