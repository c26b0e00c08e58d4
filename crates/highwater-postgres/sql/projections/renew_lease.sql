-- $1 projection, $2 source, $3 epoch, $4 owner, $5 microseconds; $6 milliseconds to wait for a lock
update highwater.projection_checkpoints
set lease_until = clock_timestamp() + $5 * interval '1 microsecond'
where projection_name = $1 and stream_name = $2 and epoch = $3 and owner = $4
    and (select set_config('lock_timeout', $6, true)) is not null
returning rebuild_requested
