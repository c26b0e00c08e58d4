-- $1 id, $2 epoch, $3 owner, $4 revision, $5 request, $6 state, $7 current step, $8 steps, $9 data,
-- $10 error, $11 timer, $12 when it is due, $13 lease; $14 milliseconds to wait for a lock
select
    case when recorded_at is null then '{}' else array[$1] end, is_due,
    null::bigint[], null::uuid[], null::bigint, recorded_at
from highwater.record_saga($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
where (select set_config('lock_timeout', $14, true)) is not null
