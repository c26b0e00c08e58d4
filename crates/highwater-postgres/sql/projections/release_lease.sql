-- $1 projection, $2 source, $3 epoch, $4 owner; $5 milliseconds to wait for a lock
update highwater.projection_checkpoints set owner = null, lease_until = null
where projection_name = $1 and stream_name = $2 and epoch = $3 and owner = $4
    and (select set_config('lock_timeout', $5, true)) is not null
