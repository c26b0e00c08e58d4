-- $1 id, $2 state, $3 step, $4 steps, $5 data
update raw_sagas.sagas
set state = $2, step = $3, steps = $4::json, data = $5::json, last_updated = clock_timestamp()
where id = $1 and step = $3 - 1
