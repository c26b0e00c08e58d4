-- $1 projection, $2 source
delete from highwater.projection_checkpoints where projection_name = $1 and stream_name = $2
