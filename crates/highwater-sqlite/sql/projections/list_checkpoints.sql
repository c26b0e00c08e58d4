-- ?1 projection or null for all, ?2 source or null for all
select projection_name, stream_name, last_processed_offset, last_updated, events_processed,
    last_error, last_error_at, epoch, rebuild_requested, last_event_id, suspect, deaths,
    case when lease_until > now then owner end as owner
from checkpoints, clock
where (?1 is null or projection_name = ?1) and (?2 is null or stream_name = ?2)
order by projection_name, stream_name
