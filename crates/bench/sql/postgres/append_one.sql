-- $1 stream, $2 offset, $3 type, $4 payload
insert into raw.events (stream, "offset", type, data)
values ($1, $2, $3, $4::json)
