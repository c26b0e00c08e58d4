-- $1 behind this position, $2 limit
select position, stream, "offset", event_id, event_type, data, metadata, recorded_at
from highwater.events
where position > $1
order by position
limit $2
