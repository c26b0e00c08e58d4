-- $1 name, $2 state; $3 from, $4 until; $5 and $6 start and id of the saga that they come after;
-- each may be null; $7 limit, $8 correlation id
select
    s.saga_id, s.correlation_id, s.saga_name, s.definition_version, s.plan, s.input, s.state,
    s.is_unwinding, s.current_step, s.completed_steps, s.data, s.error_message, s.waiting_for,
    s.request, s.revision, s.epoch, s.owner, coalesce(s.lease_until, s.due_at), s.started_at,
    s.last_updated, s.completed_at
from highwater.saga_states as s
where s.correlation_id = $8
    and ($1::text is null or s.saga_name = $1)
    and ($2::text is null or s.state = $2)
    and s.started_at >= coalesce($3::timestamptz, '-infinity')
    and s.started_at < coalesce($4::timestamptz, 'infinity')
    and (s.started_at, s.saga_id) < (coalesce($5::timestamptz, 'infinity'), $6::text)
order by s.started_at desc, s.saga_id desc
limit $7
