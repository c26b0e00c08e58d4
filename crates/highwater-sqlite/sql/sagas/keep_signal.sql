-- ?1 id, ?2 name of the saga, ?3 key, ?4 payload
insert into saga_signals (signal_id, saga_name, signal_key, data, received_at)
values (?1, ?2, ?3, ?4, (select now from clock))
on conflict (signal_id, saga_name, signal_key) do nothing
