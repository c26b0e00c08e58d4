-- ?1 after, ?2 up to, ?3 event types as a JSON array or null for all, ?4 limit
select position, stream, "offset", event_id, event_type, data, metadata, recorded_at
from events
where position > ?1 and position <= ?2
    and (?3 is null or event_type in (select value from json_each(?3)))
order by position
limit ?4
