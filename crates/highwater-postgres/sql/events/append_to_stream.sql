-- $1 stream, $2 required head; of each event: $3 id, $4 type, $5 payload, $6 metadata
-- $7 milliseconds to wait for a lock
select array[head], known, last from highwater.append_to_stream($1, $2, $3, $4, $5, $6)
where (select set_config('lock_timeout', $7, true)) is not null
