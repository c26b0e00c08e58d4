-- $1 behind this position, $2 limit, $3 bytes from which on payload and metadata are left out
select
    e.position, e.stream, e."offset", e.event_id, e.event_type,
    case when size.bytes < $3 then e.data end, case when size.bytes < $3 then e.metadata end,
    e.recorded_at, size.bytes
from highwater.events as e
cross join lateral (
    select coalesce(
        e.bytes, octet_length(e.data::text) + coalesce(octet_length(e.metadata::text), 0)
    )
) as size(bytes)
where e.position > $1
order by e.position
limit $2
