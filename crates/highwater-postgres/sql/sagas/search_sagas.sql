-- $1 correlation id, $2 name, $3 state, $4 from, $5 until, $6 and $7 start and id of the saga that
-- they come after; each may be null; $8 limit, $9 bytes
select
    saga_id, correlation_id, saga_name, definition_version, plan, input, state,
    is_unwinding, current_step, completed_steps, data, error_message, waiting_for,
    request, revision, epoch, owner, coalesce(lease_until, due_at), started_at, last_updated,
    completed_at
from (
    select s.*, sum(s.size) over (
        order by s.started_at desc, s.saga_id desc rows unbounded preceding
    ) as total
    from (
        select s.*, highwater.saga_bytes(s) as size
        from highwater.saga_states as s
        where ($1::text is null or correlation_id = $1)
            and ($2::text is null or saga_name = $2)
            and ($3::text is null or state = $3)
            and ($4::timestamptz is null or started_at >= $4)
            and ($5::timestamptz is null or started_at < $5)
            and ($6::timestamptz is null or (started_at, saga_id) < ($6, $7::text))
        order by started_at desc, saga_id desc
        limit $8
    ) as s
) as sized
where total <= $9 or total = size
order by started_at desc, saga_id desc
