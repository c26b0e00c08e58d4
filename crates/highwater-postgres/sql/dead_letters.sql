-- $1 projection, $2 source, $3 behind this offset, $4 limit
select
    "offset", event_stream, position, event_id, event_type, error, attempts, recorded_at
from highwater.dead_letters
where projection_name = $1 and stream_name = $2 and "offset" > $3
order by "offset"
limit $4
