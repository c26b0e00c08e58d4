-- ?1 after, ?2 up to, ?3 event types as a JSON array or null for all, ?4 limit,
-- ?5 bytes from which on payload and metadata are left out
select position, stream, "offset", event_id, event_type,
    case when octet_length(data) < ?5 then data end,
    case when octet_length(metadata) < ?5 then metadata end,
    recorded_at, octet_length(data), octet_length(metadata)
from events
where position > ?1 and position <= ?2
    and (?3 is null or event_type in (select value from json_each(?3)))
order by position
limit ?4
