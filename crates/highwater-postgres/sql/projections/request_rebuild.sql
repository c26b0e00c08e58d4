-- $1 projection, $2 source; $3 milliseconds to wait for a lock
insert into highwater.projection_checkpoints (projection_name, stream_name, rebuild_requested)
select $1, $2, true where (select set_config('lock_timeout', $3, true)) is not null
on conflict (projection_name, stream_name) do update set rebuild_requested = true
