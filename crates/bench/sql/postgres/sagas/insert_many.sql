-- $1 ids, $2 states, $3 steps, $4 lists of steps, $5 data
insert into raw_sagas.sagas (id, state, step, steps, data)
select id, state, step, steps::json, data::json
from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[])
    as u(id, state, step, steps, data)
