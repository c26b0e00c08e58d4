-- $1 ids
select
    saga_id, correlation_id, saga_name, definition_version, plan, input, state,
    is_unwinding, current_step, completed_steps, data, error_message, waiting_for,
    request, revision, epoch, owner, coalesce(lease_until, due_at), started_at, last_updated,
    completed_at
from highwater.known_sagas($1)
