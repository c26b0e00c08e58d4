-- ?1 name, ?2 version, ?3 limit
-- With the bytes of each, and of the signal that it may take.
select due_at, saga_id,
    octet_length(data) + octet_length(input) + octet_length(completed_steps)
        + coalesce(octet_length(error_message), 0) + 1024
        + coalesce((
            select max(bytes) from (
                select octet_length(g.data) as bytes from saga_signals g
                where g.saga_name = saga_states.saga_name
                    and g.signal_key = saga_states.waiting_for
                    and g.is_used_up = 0
                limit ?3
            )
        ), 0)
from saga_states
where saga_name = ?1 and definition_version = ?2 and due_at <= (select now from clock)
order by due_at
limit ?3
