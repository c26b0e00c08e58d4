-- $1 projection, $2 keys, $3 payloads
insert into highwater.documents (projection_name, key, data, bytes)
select $1, d.key, d.data::json, octet_length(d.data) from unnest($2::text[], $3::text[]) as d(key, data)
on conflict (projection_name, key) do update set data = excluded.data, bytes = excluded.bytes
