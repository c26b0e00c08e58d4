-- $1 stream, $2 behind this offset, $3 events to look through, $4 types, $5 limit
select position, stream, "offset", event_id, event_type, data, metadata, recorded_at
from (
    select * from highwater.events
    where stream = $1 and "offset" > $2
    order by "offset"
    limit $3
) as part
where event_type = any($4)
order by "offset"
limit $5
