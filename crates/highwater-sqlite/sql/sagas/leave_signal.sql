-- ?1 id of the saga, ?2 its name, ?3 key
update saga_signals
set taken_by = null
where saga_name = ?2 and signal_key = ?3 and is_used_up = 0 and taken_by = ?1
