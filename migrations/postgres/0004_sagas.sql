-- How far each saga has come, who may move it on, and when it can next be claimed: once due_at is
-- past, and lease_until if it is held. Whoever holds a saga moves due_at only when half of the lease
-- is over, because a row none of whose indexed columns changes is not indexed anew. There are no
-- check constraints, which are read and compiled anew for each write.
create table highwater.saga_states (
    saga_id            text        collate "C" primary key,
    correlation_id     text        collate "C" not null,
    saga_name          text        collate "C" not null,
    definition_version bigint      not null,
    state              text        collate "C" not null,
    current_step       bigint      not null default 0,
    total_steps        bigint      not null,
    completed_steps    json        not null default '[]',
    data               json        not null,
    started_at         timestamptz not null,
    last_updated       timestamptz not null,
    completed_at       timestamptz,
    error_message      text,
    plan               json        not null,
    input              json        not null,
    is_unwinding       boolean     not null default false,
    waiting_for        text        collate "C",
    request            text        collate "C",
    revision           bigint      not null default 0,
    epoch              bigint      not null default 0,
    owner              text        collate "C",
    lease_until        timestamptz,
    due_at             timestamptz,
    timer_at           timestamptz,
    deadline_at        timestamptz,
    -- Of input, and of what a transition replaces, where known; see events.
    input_bytes        integer,
    bytes              integer
) with (fillfactor = 50);

create index saga_states_due on highwater.saga_states (saga_name, definition_version, due_at)
    where due_at is not null;
-- Those that the engine has paused: never many.
create index saga_states_paused on highwater.saga_states (saga_name)
    where state = 'Paused' and error_message is not null;
create index saga_states_waiting on highwater.saga_states (saga_name, waiting_for)
    where waiting_for is not null;
create index saga_states_correlation on highwater.saga_states (correlation_id);
create index saga_states_state on highwater.saga_states (state, started_at, saga_id);
create index saga_states_name on highwater.saga_states (saga_name, started_at, saga_id);
create index saga_states_started on highwater.saga_states (started_at, saga_id);

-- What one saga weighs on a page.
create function highwater.saga_bytes(s highwater.saga_states) returns bigint
language sql immutable as $$
    select 1024::bigint + coalesce(s.input_bytes, octet_length(s.input::text)) + coalesce(
        s.bytes,
        octet_length(s.data::text) + octet_length(s.completed_steps::text)
            + coalesce(octet_length(s.error_message), 0)
    )
$$;

-- What sagas wait for, kept from its arrival; nth is the order in which signals of one key came.
create table highwater.saga_signals (
    signal_id   uuid        not null,
    nth         bigint      not null generated always as identity,
    saga_name   text        collate "C" not null,
    signal_key  text        collate "C" not null,
    data        json        not null,
    received_at timestamptz not null default clock_timestamp(),
    taken_by    text        collate "C",
    is_used_up  boolean     not null default false,
    primary key (signal_id, saga_name, signal_key)
);

create index saga_signals_open on highwater.saga_signals (saga_name, signal_key, nth)
    where not is_used_up;

-- What ended sagas waited for, or would have, and which of them ended last.
create table highwater.saga_closed_keys (
    saga_name  text collate "C" not null,
    signal_key text collate "C" not null,
    saga_id    text collate "C" not null,
    primary key (saga_name, signal_key)
);

-- In all functions below one call is one transaction, whose locks are taken in one order: those of
-- signal keys, rows by id, the lock of the log last. How long a call may wait for them is said by
-- its statement. The settings keep plans that were made when the tables were empty from scanning
-- them when they have grown.

-- A delivery and a saga that begins to wait exclude each other, or each could overlook the other.
create function highwater.lock_signals(p_key text[]) returns void
language plpgsql
set jit = off
as $$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'waiting for signals needs the isolation level read committed, not %',
            current_setting('transaction_isolation') using errcode = 'HW002';
    end if;
    perform pg_advisory_xact_lock(k.hash)
    from (
        select distinct hashtextextended('highwater.saga_signals ' || p.key, 0) as hash
        from unnest(p_key) as p(key)
        where p.key is not null
        order by hash
    ) as k;
end
$$;

-- When a saga is due that is held for p_ttl microseconds from p_now; see saga_states.
create function highwater.held_due_at(p_due_at timestamptz, p_now timestamptz, p_ttl bigint)
returns timestamptz language sql stable as $$
    select case
        when p_due_at between p_now + p_ttl / 2 * interval '1 microsecond'
            and p_now + p_ttl * interval '1 microsecond' then p_due_at
        else p_now + p_ttl * interval '1 microsecond'
    end
$$;

-- Creates those of the sagas that are new, with their events.
--
-- p_ttl is the lease of p_owner, null for nobody; it and p_deadline are in microseconds.
-- p_appends: which of them have events. p_stream .. p_metadata: the events, as append takes them.
--
-- created: the ids of those that were new; or null when nothing was done, because one with events
-- was not new, or, if heads are given, because append refused; see there.
create function highwater.create_sagas(
    p_id text[], p_correlation text[], p_saga text[], p_version bigint[], p_plan text[],
    p_steps bigint[], p_input text[], p_deadline bigint[], p_owner text[], p_ttl bigint[],
    p_appends boolean[],
    p_stream text[], p_head bigint[], p_count int[],
    p_of int[], p_name text[], p_nth int[],
    p_event uuid[], p_type text[], p_data text[], p_metadata text[],
    out created text[], out created_at timestamptz,
    out heads bigint[], out known uuid[], out last bigint
)
language plpgsql
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
set jit = off
as $$
begin
    created_at := clock_timestamp();
    with made as (
        insert into highwater.saga_states (
            saga_id, correlation_id, saga_name, definition_version, plan, total_steps, input, data,
            state, epoch, owner, lease_until, due_at, deadline_at, started_at, last_updated,
            input_bytes, bytes
        )
        select
            n.id, n.correlation, n.saga, n.version, n.plan::json, n.steps, n.input::json,
            n.input::json, case when n.owner is null then 'NotStarted' else 'Running' end,
            case when n.owner is null then 0 else 1 end, n.owner,
            created_at + n.ttl * interval '1 microsecond',
            created_at + coalesce(n.ttl, 0) * interval '1 microsecond',
            created_at + n.deadline * interval '1 microsecond', created_at, created_at,
            octet_length(n.input), octet_length(n.input)
        from unnest(
            p_id, p_correlation, p_saga, p_version, p_plan, p_steps, p_input, p_deadline, p_owner,
            p_ttl
        ) as n(id, correlation, saga, version, plan, steps, input, deadline, owner, ttl)
        on conflict (saga_id) do nothing
        returning saga_id
    )
    select coalesce(array_agg(made.saga_id), '{}') into created from made;

    if p_stream = '{}' then
        return;
    end if;
    if exists (
        select from unnest(p_id, p_appends) as n(id, appends)
        where n.appends and n.id <> all (created)
    ) then
        raise exception using errcode = 'HW001';
    end if;
    select a.heads, a.known, a.last into heads, known, last
    from highwater.append(
        p_stream, p_head, p_count, p_of, p_name, p_nth, p_event, p_type, p_data, p_metadata
    ) as a;
    if last is null then
        raise exception using errcode = 'HW001';
    end if;
exception when sqlstate 'HW001' then
    created := null;
end
$$;

-- Creates one saga without events: what create_sagas does for many, in half of its time.
--
-- created_at: null when it is not new.
create function highwater.create_saga(
    p_id text, p_correlation text, p_saga text, p_version bigint, p_plan text, p_steps bigint,
    p_input text, p_deadline bigint, p_owner text, p_ttl bigint,
    out created_at timestamptz
)
language plpgsql
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    insert into highwater.saga_states (
        saga_id, correlation_id, saga_name, definition_version, plan, total_steps, input, data,
        state, epoch, owner, lease_until, due_at, deadline_at, started_at, last_updated,
        input_bytes, bytes
    )
    values (
        p_id, p_correlation, p_saga, p_version, p_plan::json, p_steps, p_input::json,
        p_input::json, case when p_owner is null then 'NotStarted' else 'Running' end,
        case when p_owner is null then 0 else 1 end, p_owner,
        v_now + p_ttl * interval '1 microsecond',
        v_now + coalesce(p_ttl, 0) * interval '1 microsecond',
        v_now + p_deadline * interval '1 microsecond', v_now, v_now,
        octet_length(p_input), octet_length(p_input)
    )
    on conflict (saga_id) do nothing
    returning started_at into created_at;
end
$$;

-- Makes sagas due that wait for one of the keys; returns whether there are any. Rows are locked by
-- id, like everywhere. To be called under the locks of the keys.
create function highwater.wake_waiting(p_saga text[], p_key text[])
returns boolean
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
set jit = off
as $$
begin
    update highwater.saga_states as s set due_at = least(s.due_at, clock_timestamp())
    where s.saga_id = any (array(
        select w.saga_id
        from unnest(p_saga, p_key) as k(saga, key)
        join highwater.saga_states as w on w.saga_name = k.saga and w.waiting_for = k.key
        where w.owner is null and w.state in ('NotStarted', 'Running', 'Compensating')
        order by w.saga_id
        for update of w
    ));
    return found;
end
$$;

-- Has those of the sagas that have given up leave their signals of these keys to others; returns
-- whether one that waits for them is due now. To be called under the locks of the keys.
create function highwater.leave_signals(p_id text[], p_key text[])
returns boolean
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
    v_saga text[];
    v_key text[];
begin
    with freed as (
        update highwater.saga_signals as g set taken_by = null
        from highwater.saga_states as s
        where s.saga_id = any (p_id) and s.is_unwinding
            and g.saga_name = s.saga_name and g.signal_key = any (p_key)
            and g.taken_by = s.saga_id and not g.is_used_up
        returning g.saga_name, g.signal_key
    )
    select array_agg(f.saga_name), array_agg(f.signal_key) into v_saga, v_key
    from (select distinct saga_name, signal_key from freed) as f;
    return v_saga is not null and highwater.wake_waiting(v_saga, v_key);
end
$$;

-- Makes those of the transitions that fit their sagas as they stand, with their events.
--
-- p_due: held, now, timer or request, as a transition says; p_ttl is the lease that is held. It
-- and p_timer are in microseconds. p_closes: for which keys one that ends no longer comes, a JSON
-- array or null.
-- p_appends: which of them have events. p_stream .. p_metadata: the events, as append takes them.
--
-- recorded: the ids of those that were made; or null when nothing was done, because one with
-- events did not fit, or, if heads are given, because append refused; see there.
-- is_any_due: whether one of the sagas can be claimed at once. recorded_at: when.
create function highwater.record_sagas(
    p_id text[], p_epoch bigint[], p_owner text[], p_revision bigint[], p_request text[],
    p_state text[], p_is_unwinding boolean[], p_current_step bigint[], p_steps text[],
    p_saga_data text[], p_error text[], p_waiting_for text[],
    p_timer bigint[], p_due text[], p_ttl bigint[], p_consumes uuid[], p_closes text[],
    p_appends boolean[],
    p_stream text[], p_head bigint[], p_count int[],
    p_of int[], p_name text[], p_nth int[],
    p_event uuid[], p_type text[], p_data text[], p_metadata text[],
    out recorded text[], out is_any_due boolean,
    out heads bigint[], out known uuid[], out last bigint, out recorded_at timestamptz
)
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
    v_left text[] := '{}';
begin
    -- What those that give up were waiting for: the signals that they have are for others.
    if true = any (p_is_unwinding) then
        v_left := array(
            select s.waiting_for
            from unnest(p_id, p_is_unwinding, p_consumes) as t(id, is_unwinding, consumes)
            join highwater.saga_states as s on s.saga_id = t.id
            where t.is_unwinding and t.consumes is null and s.waiting_for is not null
        );
    end if;
    if array_remove(p_waiting_for || v_left, null) <> '{}' then
        perform highwater.lock_signals(p_waiting_for || v_left);
    end if;
    recorded_at := clock_timestamp();
    with moved as (
        update highwater.saga_states as s set
            state = t.state,
            is_unwinding = t.is_unwinding,
            current_step = t.current_step,
            completed_steps = t.steps::json,
            data = t.data::json,
            error_message = t.error,
            bytes = octet_length(t.data) + octet_length(t.steps)
                + coalesce(octet_length(t.error), 0),
            waiting_for = t.waiting_for,
            request = null,
            revision = s.revision + 1,
            last_updated = recorded_at,
            completed_at = case when t.state in ('Completed', 'Compensated') then recorded_at end,
            owner = case when t.due = 'held' then s.owner end,
            lease_until = recorded_at + t.ttl * interval '1 microsecond',
            timer_at = recorded_at + t.timer * interval '1 microsecond',
            due_at = case
                when t.due = 'held' then highwater.held_due_at(s.due_at, recorded_at, t.ttl)
                when t.due = 'now' then recorded_at
                when t.due = 'request' then null
                when t.waiting_for is not null and exists (
                    select from highwater.saga_signals as g
                    where g.saga_name = s.saga_name and g.signal_key = t.waiting_for
                        and not g.is_used_up and g.signal_id is distinct from t.consumes
                        and (g.taken_by is null or g.taken_by = s.saga_id)
                ) then recorded_at
                else least(
                    recorded_at + t.timer * interval '1 microsecond',
                    case when not t.is_unwinding then s.deadline_at end
                )
            end
        from unnest(
            p_id, p_epoch, p_owner, p_revision, p_request, p_state, p_is_unwinding,
            p_current_step, p_steps, p_saga_data, p_error, p_waiting_for, p_timer, p_due, p_ttl,
            p_consumes
        ) as t(
            id, epoch, owner, revision, request, state, is_unwinding, current_step, steps, data,
            error, waiting_for, timer, due, ttl, consumes
        )
        where s.saga_id = t.id and s.epoch = t.epoch and s.owner = t.owner
            and s.revision = t.revision and s.request is not distinct from t.request
        returning s.saga_id, s.due_at
    )
    select
        coalesce(array_agg(moved.saga_id), '{}'),
        coalesce(bool_or(moved.due_at <= recorded_at), false)
    into recorded, is_any_due
    from moved;

    if array_remove(p_consumes, null) <> '{}' then
        update highwater.saga_signals as g set is_used_up = true
        from unnest(p_id, p_consumes) as t(id, consumes)
        where g.signal_id = t.consumes and g.taken_by = t.id and t.id = any (recorded);
    end if;
    if array_remove(p_closes, null) <> '{}' then
        insert into highwater.saga_closed_keys (saga_name, signal_key, saga_id)
        select distinct on (s.saga_name, k.key) s.saga_name, k.key, s.saga_id
        from unnest(p_id, p_closes) as t(id, closes)
        join highwater.saga_states as s on s.saga_id = t.id
        cross join lateral json_array_elements_text(t.closes::json) as k(key)
        where t.id = any (recorded)
        order by s.saga_name, k.key
        on conflict (saga_name, signal_key) do update set saga_id = excluded.saga_id;
    end if;
    if v_left <> '{}' then
        is_any_due := highwater.leave_signals(recorded, v_left) or is_any_due;
    end if;

    if p_stream = '{}' then
        return;
    end if;
    if exists (
        select from unnest(p_id, p_appends) as t(id, appends)
        where t.appends and t.id <> all (recorded)
    ) then
        raise exception using errcode = 'HW001';
    end if;
    select a.heads, a.known, a.last into heads, known, last
    from highwater.append(
        p_stream, p_head, p_count, p_of, p_name, p_nth, p_event, p_type, p_data, p_metadata
    ) as a;
    if last is null then
        raise exception using errcode = 'HW001';
    end if;
exception when sqlstate 'HW001' then
    recorded := null;
    is_any_due := false;
end
$$;

-- Makes one transition without events or signals, if it fits its saga as it stands: what
-- record_sagas does for many, in a third of its time.
--
-- recorded_at: null when it was not made.
create function highwater.record_saga(
    p_id text, p_epoch bigint, p_owner text, p_revision bigint, p_request text,
    p_state text, p_current_step bigint, p_steps text, p_saga_data text, p_error text,
    p_timer bigint, p_due text, p_ttl bigint,
    out recorded_at timestamptz, out is_due boolean
)
language plpgsql
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    update highwater.saga_states as s set
        state = p_state,
        is_unwinding = false,
        current_step = p_current_step,
        completed_steps = p_steps::json,
        data = p_saga_data::json,
        error_message = p_error,
        bytes = octet_length(p_saga_data) + octet_length(p_steps)
            + coalesce(octet_length(p_error), 0),
        waiting_for = null,
        request = null,
        revision = s.revision + 1,
        last_updated = v_now,
        completed_at = case when p_state in ('Completed', 'Compensated') then v_now end,
        owner = case when p_due = 'held' then s.owner end,
        lease_until = v_now + p_ttl * interval '1 microsecond',
        timer_at = v_now + p_timer * interval '1 microsecond',
        due_at = case
            when p_due = 'held' then highwater.held_due_at(s.due_at, v_now, p_ttl)
            when p_due = 'now' then v_now
            when p_due = 'timer' then
                least(v_now + p_timer * interval '1 microsecond', s.deadline_at)
        end
    where s.saga_id = p_id and s.epoch = p_epoch and s.owner = p_owner
        and s.revision = p_revision and s.request is not distinct from p_request
    returning s.last_updated, coalesce(s.due_at <= v_now, false) into recorded_at, is_due;
end
$$;

-- Gives out sagas that are due, the longest due first; whoever else claims passes over them.
--
-- p_name, p_version: the definitions that p_owner knows. p_ttl: its lease, in microseconds.
-- p_bytes: what sagas and signals may weigh together, unless it is one saga; others stay due.
--
-- taken_from: who had the lease before and never gave it back. timer, deadline: what is left of
-- them, in microseconds. signal_id, signal_data: the oldest signal that the saga waits for.
create function highwater.claim_sagas(
    p_owner text, p_ttl bigint, p_limit bigint, p_name text[], p_version bigint[], p_bytes bigint
)
returns table (
    saga highwater.saga_states, taken_from text, timer bigint, deadline bigint,
    signal_id uuid, signal_data json
)
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_claimed record;
begin
    for v_claimed in
        with due as materialized (
            select d.saga_id, d.owner, d.due_at, d.bytes
            from unnest(p_name, p_version) as k(name, version)
            cross join lateral (
                select
                    s.saga_id, s.owner, s.due_at,
                    highwater.saga_bytes(s) + case when s.waiting_for is null then 0 else coalesce((
                        select max(octet_length(o.data::text))
                        from (
                            select g.data
                            from highwater.saga_signals as g
                            where g.saga_name = s.saga_name and g.signal_key = s.waiting_for
                                and not g.is_used_up
                            order by g.nth
                            limit p_limit
                        ) as o
                    ), 0) end as bytes
                from highwater.saga_states as s
                where s.saga_name = k.name and s.definition_version = k.version
                    and s.due_at <= v_now and (s.lease_until is null or s.lease_until <= v_now)
                order by s.due_at
                limit p_limit
                for update skip locked
            ) as d
            order by d.due_at
            limit p_limit
        ), fitting as (
            select d.saga_id, d.owner, d.due_at
            from (
                select due.*, sum(due.bytes) over (
                    order by due.due_at, due.saga_id rows unbounded preceding
                ) as total
                from due
            ) as d
            where d.total <= p_bytes or d.total = d.bytes
        ), claimed as (
            update highwater.saga_states as s set
                state = case when s.state = 'NotStarted' then 'Running' else s.state end,
                epoch = s.epoch + 1,
                owner = p_owner,
                lease_until = v_now + p_ttl * interval '1 microsecond',
                due_at = v_now + p_ttl * interval '1 microsecond'
            from fitting as f
            where s.saga_id = f.saga_id
            returning s as saga, f.owner as taken_from, f.due_at
        )
        select c.saga, c.taken_from from claimed as c order by c.due_at
    loop
        saga := v_claimed.saga;
        taken_from := v_claimed.taken_from;
        timer := extract(epoch from saga.timer_at - v_now) * 1000000;
        deadline := extract(epoch from saga.deadline_at - v_now) * 1000000;
        signal_id := null;
        signal_data := null;
        if saga.waiting_for is not null then
            update highwater.saga_signals as g set taken_by = saga.saga_id
            where g.saga_name = saga.saga_name and g.signal_key = saga.waiting_for
                and g.signal_id = (
                    select o.signal_id
                    from highwater.saga_signals as o
                    where o.saga_name = saga.saga_name and o.signal_key = saga.waiting_for
                        and not o.is_used_up and (o.taken_by is null or o.taken_by = saga.saga_id)
                    order by o.taken_by is null, o.nth
                    limit 1
                    for update skip locked
                )
            returning g.signal_id, g.data into signal_id, signal_data;
        end if;
        return next;
    end loop;
end
$$;

-- Extends leases to p_ttl microseconds from now; returns the ids of those that were not lost.
create function highwater.renew_sagas(
    p_id text[], p_epoch bigint[], p_owner text[], p_ttl bigint
)
returns text[]
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
    v_now timestamptz := clock_timestamp();
    v_renewed text[];
begin
    with renewed as (
        update highwater.saga_states as s set
            lease_until = v_now + p_ttl * interval '1 microsecond',
            due_at = highwater.held_due_at(s.due_at, v_now, p_ttl)
        from unnest(p_id, p_epoch, p_owner) as l(id, epoch, owner)
        where s.saga_id = l.id and s.epoch = l.epoch and s.owner = l.owner
        returning s.saga_id
    )
    select coalesce(array_agg(r.saga_id), '{}') into v_renewed from renewed as r;
    return v_renewed;
end
$$;

-- Keeps a signal that is not known yet.
--
-- is_new: whether it was not. is_due: whether a saga that waits for it is due now. ended: the saga
-- that waited for it, or would have, and has ended.
create function highwater.deliver_signal(
    p_id uuid, p_saga text, p_key text, p_data text,
    out is_new boolean, out is_due boolean, out ended text
)
language plpgsql
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
set jit = off
as $$
begin
    perform highwater.lock_signals(array[p_key]);
    insert into highwater.saga_signals (signal_id, saga_name, signal_key, data)
    values (p_id, p_saga, p_key, p_data::json)
    on conflict (signal_id, saga_name, signal_key) do nothing;
    is_new := found;
    is_due := is_new and highwater.wake_waiting(array[p_saga], array[p_key]);
    if is_new and not is_due then
        select c.saga_id into ended from highwater.saga_closed_keys as c
        where c.saga_name = p_saga and c.signal_key = p_key;
    end if;
end
$$;

-- The sagas with these ids. As a query of its own it scans the whole table when nobody has
-- analysed that yet, or when its plan was made while it was small.
create function highwater.known_sagas(p_id text[]) returns setof highwater.saga_states
language plpgsql
stable
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
set jit = off
as $$
begin
    return query select s.* from highwater.saga_states as s where s.saga_id = any (p_id);
end
$$;

-- How many sagas do not go on by themselves, each count up to p_limit: those that have failed, those
-- that are paused with an error, and, by name and version, those that have been due for p_overdue
-- microseconds and that nobody has taken. The kinds are found by skipping from one to the next in
-- the index, however many sagas each has.
create function highwater.count_sagas(
    p_overdue bigint, p_limit bigint,
    out failed bigint, out paused bigint, out names text[], out versions bigint[],
    out overdue bigint[]
)
language plpgsql
stable
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
declare
    v_since timestamptz := clock_timestamp() - p_overdue * interval '1 microsecond';
    v_kind record;
    v_count bigint;
begin
    failed := (
        select count(*)
        from (select from highwater.saga_states where state = 'Failed' limit p_limit) as f
    );
    paused := (
        select count(*)
        from (
            select from highwater.saga_states
            where state = 'Paused' and error_message is not null
            limit p_limit
        ) as f
    );
    names := '{}';
    versions := '{}';
    overdue := '{}';
    select s.saga_name, s.definition_version into v_kind
    from highwater.saga_states as s
    where s.due_at is not null
    order by s.saga_name, s.definition_version
    limit 1;
    while v_kind.saga_name is not null loop
        v_count := (
            select count(*)
            from (
                select from highwater.saga_states as s
                where s.saga_name = v_kind.saga_name
                    and s.definition_version = v_kind.definition_version and s.due_at <= v_since
                    and (s.lease_until is null or s.lease_until <= v_since)
                limit p_limit
            ) as o
        );
        if v_count > 0 then
            names := names || v_kind.saga_name;
            versions := versions || v_kind.definition_version;
            overdue := overdue || v_count;
        end if;
        select s.saga_name, s.definition_version into v_kind
        from highwater.saga_states as s
        where s.due_at is not null
            and (s.saga_name, s.definition_version)
                > (v_kind.saga_name, v_kind.definition_version)
        order by s.saga_name, s.definition_version
        limit 1;
    end loop;
end
$$;
