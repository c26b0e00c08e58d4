-- ?1 event ids in hexadecimal, as a JSON array
select position, stream, "offset", event_id, event_type, data, metadata, recorded_at
from events
where event_id in (select unhex(value) from json_each(?1))
