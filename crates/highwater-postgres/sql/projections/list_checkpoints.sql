-- $1 projection, or null for all
select
    projection_name, stream_name, last_processed_offset, events_processed, last_updated,
    last_error, last_error_at, epoch,
    case when lease_until > clock_timestamp() then owner end, rebuild_requested,
    last_event_id, suspect, deaths
from highwater.projection_checkpoints
where $1::text is null or projection_name = $1
order by projection_name, stream_name
