-- $1 projection, $2 source
insert into highwater.projection_checkpoints (projection_name, stream_name, rebuild_requested)
values ($1, $2, true)
on conflict (projection_name, stream_name) do update set rebuild_requested = true
