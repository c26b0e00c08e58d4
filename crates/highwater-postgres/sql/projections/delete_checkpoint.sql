-- $1 projection, $2 source; $3 milliseconds to wait for a lock
delete from highwater.projection_checkpoints where projection_name = $1 and stream_name = $2
    and (select set_config('lock_timeout', $3, true)) is not null
