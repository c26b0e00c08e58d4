-- ?1 category, ?2 after, ?3 up to, ?4 event types as a JSON array or null for all, ?5 limit,
-- ?6 bytes from which on payload and metadata are left out
select position, stream, "offset", event_id, event_type,
    case when octet_length(data) < ?6 then data end,
    case when octet_length(metadata) < ?6 then metadata end,
    recorded_at, octet_length(data), octet_length(metadata)
from events
where category = ?1 and position > ?2 and position <= ?3
    and (?4 is null or event_type in (select value from json_each(?4)))
order by position
limit ?5
