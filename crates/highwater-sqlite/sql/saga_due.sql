-- ?1 name, ?2 version, ?3 limit
select due_at, saga_id, octet_length(data) + octet_length(input)
from saga_states
where saga_name = ?1 and definition_version = ?2 and due_at <= (select now from clock)
order by due_at
limit ?3
