-- $1 id, $2 correlation id, $3 name, $4 version, $5 plan, $6 steps, $7 input, $8 deadline, $9 owner,
-- $10 lease; $11 milliseconds to wait for a lock
select
    case when created_at is null then '{}' else array[$1] end, created_at,
    null::bigint[], null::uuid[], null::bigint
from highwater.create_saga($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
where (select set_config('lock_timeout', $11, true)) is not null
