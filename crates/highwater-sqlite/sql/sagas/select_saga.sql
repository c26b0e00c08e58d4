select
    saga_id, correlation_id, saga_name, definition_version, plan, input, state, is_unwinding,
    current_step, completed_steps, data, error_message, waiting_for, request, revision, epoch,
    owner, due_at, started_at, last_updated, completed_at, timer_at, deadline_at
from saga_states
