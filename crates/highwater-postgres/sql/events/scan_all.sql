-- $1 behind this position, $2 events to look through, $3 types or none for all,
-- $4 stream or null for all, $5 other streams start so, $6 limit, $7 bytes from which on payload and
-- metadata are left out
--
-- The window is a limit and not a second bound, because a plan that was made for an empty table
-- would sort what lies between two bounds.
select
    e.position, e.stream, e."offset", e.event_id, e.event_type,
    case when size.bytes < $7 then e.data end, case when size.bytes < $7 then e.metadata end,
    e.recorded_at, size.bytes
from (select * from highwater.events where position > $1 order by position limit $2) as e
cross join lateral (
    select coalesce(
        e.bytes, octet_length(e.data::text) + coalesce(octet_length(e.metadata::text), 0)
    )
) as size(bytes)
where (cardinality($3::text[]) = 0 or e.event_type = any($3))
    and ($4::text is null or e.stream = $4 or starts_with(e.stream, $5))
order by e.position
limit $6
