-- $1 event ids
select position, stream, "offset", event_id, event_type, data, metadata, recorded_at
from highwater.events
where event_id = any($1)
