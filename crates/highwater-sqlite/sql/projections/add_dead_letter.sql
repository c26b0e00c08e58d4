-- ?1 projection, ?2 source, ?3 offset, ?4 stream, ?5 position, ?6 id, ?7 type, ?8 error, ?9 attempts
insert or replace into dead_letters (projection_name, stream_name, "offset", event_stream,
    position, event_id, event_type, error, attempts, recorded_at)
values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, (select now from clock))
