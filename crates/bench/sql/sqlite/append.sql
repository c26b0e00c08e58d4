-- ?1 stream, ?2 offset, ?3 type, ?4 payload
insert into events (stream, "offset", type, data)
values (?, ?, ?, ?)
