-- ?1 projection, ?2 source, ?3 owner, ?4 time to live in microseconds
insert into checkpoints (projection_name, stream_name, last_updated, epoch, owner, lease_until)
select ?1, ?2, now, last, ?3, now + ?4 from clock, lease_epochs where true
on conflict (projection_name, stream_name) do update
set epoch = excluded.epoch, owner = excluded.owner, lease_until = excluded.lease_until,
    -- An owner who is still there let the lease expire.
    suspect = case when owner <> excluded.owner then coalesce(suspect, -1) else suspect end,
    deaths = deaths + coalesce(owner <> excluded.owner and is_on_trial, 0),
    is_on_trial = 0
where owner is null or owner = excluded.owner or lease_until <= excluded.last_updated
