-- $1 name, $2 state; $3 from, $4 until; $5 and $6 start and id of the saga that they come after;
-- each may be null; $7 limit
--
-- There are few kinds, each a name and a state: the index leads from one to the next, and has the
-- sagas of each in order. The newest of each kind are read, and of these the newest returned.
with recursive kinds as (
    (
        select k.saga_name, k.state
        from highwater.saga_states as k
        where $1::text is null or k.saga_name = $1
        order by k.saga_name, k.state
        limit 1
    )
    union all
    select next.saga_name, next.state
    from kinds
    cross join lateral (
        select k.saga_name, k.state
        from highwater.saga_states as k
        where (k.saga_name, k.state) > (kinds.saga_name, kinds.state)
            and ($1::text is null or k.saga_name = $1)
        order by k.saga_name, k.state
        limit 1
    ) as next
),
found as (
    select newest.saga_id
    from kinds
    cross join lateral (
        select k.saga_id, k.started_at
        from highwater.saga_states as k
        where k.saga_name = kinds.saga_name and k.state = kinds.state
            and k.started_at >= coalesce($3::timestamptz, '-infinity')
            and k.started_at < coalesce($4::timestamptz, 'infinity')
            and (k.started_at, k.saga_id) < (coalesce($5::timestamptz, 'infinity'), $6::text)
        order by k.started_at desc, k.saga_id desc
        limit $7
    ) as newest
    where $2::text is null or kinds.state = $2
    order by newest.started_at desc, newest.saga_id desc
    limit $7
)
select
    s.saga_id, s.correlation_id, s.saga_name, s.definition_version, s.plan, s.input, s.state,
    s.is_unwinding, s.current_step, s.completed_steps, s.data, s.error_message, s.waiting_for,
    s.request, s.revision, s.epoch, s.owner, coalesce(s.lease_until, s.due_at), s.started_at,
    s.last_updated, s.completed_at
from found
join highwater.saga_states as s on s.saga_id = found.saga_id
order by s.started_at desc, s.saga_id desc
