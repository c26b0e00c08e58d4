-- $1 id, $2 state, $3 step, $4 steps, $5 data
insert into raw_sagas.sagas (id, state, step, steps, data)
values ($1, $2, $3, $4::json, $5::json)
