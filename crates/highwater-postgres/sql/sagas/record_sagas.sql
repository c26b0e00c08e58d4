-- of each transition: $1 id, $2 epoch, $3 owner, $4 revision, $5 request, $6 state, $7 whether it
-- unwinds, $8 current step, $9 steps, $10 data, $11 error, $12 what it waits for, $13 timer, $14
-- when it is due, $15 lease, $16 signal, $17 keys that it closes, $18 whether it has events; $19 to
-- $28 as in append.sql; $29 milliseconds to wait for a lock
select recorded, is_any_due, heads, known, last, recorded_at
from highwater.record_sagas(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
    $19, $20, $21, $22, $23, $24, $25, $26, $27, $28
)
where (select set_config('lock_timeout', $29, true)) is not null
