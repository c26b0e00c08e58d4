-- $1 behind this position, $2 events to look through, $3 types or none for all,
-- $4 stream or null for all, $5 other streams start so, $6 limit
--
-- The window is a limit and not a second bound, because a plan that was made for an empty table
-- would sort what lies between two bounds.
select position, stream, "offset", event_id, event_type, data, metadata, recorded_at
from (select * from highwater.events where position > $1 order by position limit $2) as part
where (cardinality($3::text[]) = 0 or event_type = any($3))
    and ($4::text is null or stream = $4 or starts_with(stream, $5))
order by position
limit $6
