-- ?1 event ids in hexadecimal, ?2 names of streams, both as JSON arrays
-- The events that carry one of the ids.
select position, stream, "offset", event_id, event_type, data, metadata, recorded_at
from events
where event_id in (select unhex(value) from json_each(?1));

-- The head of the log, without a name, and those of the streams; and the time.
select null, coalesce((select max(position) from events), -1), now
from clock
union all
select value, coalesce((select max("offset") from events where stream = value), -1), null
from json_each(?2);
