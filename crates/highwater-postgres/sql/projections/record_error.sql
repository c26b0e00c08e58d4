-- $1 projection, $2 source, $3 epoch, $4 owner, $5 error; $6 milliseconds to wait for a lock
update highwater.projection_checkpoints set last_error = $5, last_error_at = clock_timestamp()
where projection_name = $1 and stream_name = $2 and epoch = $3 and owner = $4
    and (select set_config('lock_timeout', $6, true)) is not null
