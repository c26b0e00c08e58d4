-- $1 stream, $2 first offset, $3 type, $4 payloads
insert into raw.events (stream, "offset", type, data)
select $1, $2 + n - 1, $3, data::json from unnest($4::text[]) with ordinality u(data, n)
