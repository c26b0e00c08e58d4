-- $1 projection, $2 keys, $3 payloads
insert into highwater.documents (projection_name, key, data)
select $1, d.key, d.data::json from unnest($2::text[], $3::text[]) as d(key, data)
on conflict (projection_name, key) do update set data = excluded.data
