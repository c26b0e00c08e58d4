-- ?1 projection, ?2 source, ?3 after, ?4 limit, ?5 bytes
with sized as (
    select "offset", bytes, sum(bytes) over (order by "offset" rows unbounded preceding) as total
    from (
        select "offset", octet_length(error) + octet_length(event_stream) + 512 as bytes
        from dead_letters
        where projection_name = ?1 and stream_name = ?2 and "offset" > ?3
        order by "offset"
        limit ?4
    )
)
select "offset", event_stream, position, event_id, event_type, error, attempts, recorded_at
from dead_letters
where projection_name = ?1 and stream_name = ?2 and "offset" > ?3
    and "offset" <= (select max("offset") from sized where total <= ?5 or total = bytes)
order by "offset"
