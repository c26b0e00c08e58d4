-- ?1 name of the saga, ?2 key, ?3 id of the saga that has ended
insert into saga_closed_keys (saga_name, signal_key, saga_id) values (?1, ?2, ?3)
on conflict (saga_name, signal_key) do update set saga_id = excluded.saga_id
