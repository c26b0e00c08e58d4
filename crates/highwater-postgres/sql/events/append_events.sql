-- $1 streams, $2 required heads, $3 counts; of each event: $4 subscript of its stream, $5 name of
-- its stream, $6 place among that stream's events, $7 id, $8 type, $9 payload, $10 metadata
-- $11 milliseconds to wait for a lock
select heads, known, last from highwater.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
where (select set_config('lock_timeout', $11, true)) is not null
