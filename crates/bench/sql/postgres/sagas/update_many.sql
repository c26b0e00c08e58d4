-- $1 ids, $2 states, $3 steps, $4 lists of steps, $5 data
update raw_sagas.sagas as s
set state = u.state, step = u.step, steps = u.steps::json, data = u.data::json,
    last_updated = clock_timestamp()
from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[])
    as u(id, state, step, steps, data)
where s.id = u.id and s.step = u.step - 1
