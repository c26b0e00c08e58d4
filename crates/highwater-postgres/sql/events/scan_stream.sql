-- $1 stream, $2 behind this offset, $3 events to look through, $4 types, $5 limit, $6 bytes from
-- which on payload and metadata are left out
select
    e.position, e.stream, e."offset", e.event_id, e.event_type,
    case when size.bytes < $6 then e.data end, case when size.bytes < $6 then e.metadata end,
    e.recorded_at, size.bytes
from (
    select * from highwater.events
    where stream = $1 and "offset" > $2
    order by "offset"
    limit $3
) as e
cross join lateral (
    select coalesce(
        e.bytes, octet_length(e.data::text) + coalesce(octet_length(e.metadata::text), 0)
    )
) as size(bytes)
where e.event_type = any($4)
order by e."offset"
limit $5
