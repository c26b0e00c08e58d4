-- of each saga: $1 id, $2 correlation id, $3 name, $4 version, $5 plan, $6 steps, $7 input,
-- $8 deadline, $9 owner, $10 lease, $11 whether it has events; $12 to $21 as in append.sql
-- $22 milliseconds to wait for a lock
select created, created_at, heads, known, last
from highwater.create_sagas(
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
    $12, $13, $14, $15, $16, $17, $18, $19, $20, $21
)
where (select set_config('lock_timeout', $22, true)) is not null
