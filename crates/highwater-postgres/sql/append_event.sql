-- $1 stream, $2 required head; of the event: $3 id, $4 type, $5 payload, $6 metadata
select array[head], known, last from highwater.append_event($1, $2, $3, $4, $5, $6)
