-- $1 projection, $2 source, $3 owner, $4 microseconds; $5 milliseconds to wait for a lock
--
-- A row that is there gets its epoch from the sequence once it is locked, not from the values
-- that would be inserted: those may have been made before another lease was given. An owner who is
-- still there let the lease expire.
insert into highwater.projection_checkpoints as c
    (projection_name, stream_name, epoch, owner, lease_until)
select
    $1, $2, nextval('highwater.epochs'), $3,
    clock_timestamp() + $4 * interval '1 microsecond'
where (select set_config('lock_timeout', $5, true)) is not null
on conflict (projection_name, stream_name) do update set
    epoch = nextval('highwater.epochs'),
    owner = $3,
    lease_until = clock_timestamp() + $4 * interval '1 microsecond',
    suspect = case when c.owner <> $3 then coalesce(c.suspect, -1) else c.suspect end,
    deaths = c.deaths + case when c.owner <> $3 and c.is_on_trial then 1 else 0 end,
    is_on_trial = false
where c.owner is null or c.owner = $3 or c.lease_until <= clock_timestamp()
returning
    projection_name, stream_name, last_processed_offset, events_processed, last_updated,
    last_error, last_error_at, epoch, owner, rebuild_requested,
    last_event_id, suspect, deaths
