-- $1 owner, $2 lease in microseconds, $3 limit, $4 names and $5 versions of definitions, $6 bytes
select
    (c.saga).saga_id, (c.saga).correlation_id, (c.saga).saga_name, (c.saga).definition_version,
    (c.saga).plan, (c.saga).input, (c.saga).state, (c.saga).is_unwinding, (c.saga).current_step,
    (c.saga).completed_steps, (c.saga).data, (c.saga).error_message, (c.saga).waiting_for,
    (c.saga).request, (c.saga).revision, (c.saga).epoch, (c.saga).owner, (c.saga).lease_until,
    (c.saga).started_at, (c.saga).last_updated, (c.saga).completed_at,
    c.taken_from, c.timer, c.deadline, c.signal_id, c.signal_data
from highwater.claim_sagas($1, $2, $3, $4, $5, $6) as c
