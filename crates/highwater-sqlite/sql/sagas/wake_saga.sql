-- ?1 name of the saga, ?2 key
update saga_states
set due_at = min(coalesce(due_at, now), now) from clock
where saga_name = ?1 and waiting_for = ?2 and owner is null
    and state in ('NotStarted', 'Running', 'Compensating')
