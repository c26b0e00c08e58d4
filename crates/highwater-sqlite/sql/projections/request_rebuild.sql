-- ?1 projection, ?2 source
insert into checkpoints (projection_name, stream_name, last_updated, rebuild_requested)
values (?1, ?2, (select now from clock), 1)
on conflict (projection_name, stream_name) do update set rebuild_requested = 1
