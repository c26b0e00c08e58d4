-- $1 projection, $2 source, $3 behind this offset, $4 limit, $5 bytes
select
    "offset", event_stream, position, event_id, event_type, error, attempts, recorded_at
from (
    select l.*, sum(l.bytes) over (order by l."offset" rows unbounded preceding) as total
    from (
        select d.*, octet_length(d.error) + octet_length(d.event_stream) + 512 as bytes
        from highwater.dead_letters as d
        where d.projection_name = $1 and d.stream_name = $2 and d."offset" > $3
        order by d."offset"
        limit $4
    ) as l
) as sized
where total <= $5 or total = bytes
order by "offset"
