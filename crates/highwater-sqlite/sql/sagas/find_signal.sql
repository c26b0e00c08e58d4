-- ?1 id of the saga, ?2 its name, ?3 key
-- Its own comes first, then the oldest that nobody has taken.
select nth, signal_id, data
from saga_signals
where saga_name = ?2 and signal_key = ?3 and is_used_up = 0
    and (taken_by is null or taken_by = ?1)
order by taken_by is null, nth
limit 1
