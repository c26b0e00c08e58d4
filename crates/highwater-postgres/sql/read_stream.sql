-- $1 stream, $2 behind this offset, $3 limit
select position, stream, "offset", event_id, event_type, data, metadata, recorded_at
from highwater.events
where stream = $1 and "offset" > $2
order by "offset"
limit $3
