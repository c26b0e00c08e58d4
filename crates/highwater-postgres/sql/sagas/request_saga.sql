-- $1 id, $2 request; as the saga was judged: $3 state, $4 whether it unwinds, $5 request
-- $6 milliseconds to wait for a lock
update highwater.saga_states set
    request = $2,
    last_updated = clock_timestamp(),
    due_at = case when owner is null then least(due_at, clock_timestamp()) else due_at end
where saga_id = $1 and state = $3 and is_unwinding = $4 and request is not distinct from $5
    and (select set_config('lock_timeout', $6, true)) is not null
returning
    saga_id, correlation_id, saga_name, definition_version, plan, input, state,
    is_unwinding, current_step, completed_steps, data, error_message, waiting_for,
    request, revision, epoch, owner, coalesce(lease_until, due_at), started_at, last_updated,
    completed_at
