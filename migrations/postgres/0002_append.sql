-- Appends a whole group, or nothing of it.
--
-- p_stream, p_head, p_count: the streams of the group, where the head of each must be (-2: may be
-- anywhere, -3: anywhere but not -1) and how many events it gets.
-- p_of .. p_metadata: the events, in their order in the log; p_of is the subscript of an event's
-- stream in p_stream, p_name that stream's name again, p_nth its place among that stream's events
-- of this group, from 1.
--
-- heads: where the streams were. known: ids that the log has already. last: the position of the
-- last event of the group, null when nothing was appended, because an id was known or a head
-- elsewhere.
--
-- One call is one transaction, so that a client that stalls cannot hold the lock; and its statement
-- says how long it may wait for the lock, so that no call outlives its client. The settings keep
-- plans that were made when the tables were empty from scanning them when they have grown; and nothing is
-- compiled, which takes longer than all the rest.
--
-- A stream's head is the last entry of the index of its events. No row is updated under the lock:
-- as long as somebody holds a snapshot, each reader of such a row wades through all that it was
-- before.
create function highwater.append(
    p_stream text[], p_head bigint[], p_count int[],
    p_of int[], p_name text[], p_nth int[],
    p_id uuid[], p_type text[], p_data text[], p_metadata text[],
    out heads bigint[], out known uuid[], out last bigint
)
language plpgsql
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
set jit = off
as $$
begin
    -- Whoever waited here sees, in the statements below, all that was committed meanwhile.
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'appending needs the isolation level read committed, not %',
            current_setting('transaction_isolation') using errcode = 'HW002';
    end if;
    perform pg_advisory_xact_lock(hashtextextended('highwater.events', 0));

    heads := array(
        select coalesce(
            (select max(e."offset") from highwater.events e where e.stream = p.name), -1
        )
        from unnest(p_stream) with ordinality as p(name, n)
        order by p.n
    );
    known := array(select e.event_id from highwater.events e where e.event_id = any(p_id));

    if known <> '{}' or exists (
        select from unnest(p_head, heads) as s(expected, head)
        where not (s.expected = -2 or s.expected = s.head or (s.expected = -3 and s.head >= 0))
    ) then
        return;
    end if;

    last := coalesce((select max(e.position) from highwater.events e), -1);

    insert into highwater.events
        (position, stream, "offset", event_id, event_type, data, metadata, bytes)
    select last + e.n, e.name, heads[e.of] + e.nth, e.id, e.type, e.data::json, e.metadata::json,
        octet_length(e.data) + coalesce(octet_length(e.metadata), 0)
    from unnest(p_of, p_name, p_nth, p_id, p_type, p_data, p_metadata) with ordinality
        as e("of", name, nth, id, type, data, metadata, n);

    last := last + cardinality(p_id);
end
$$;

-- Appends to one stream, or nothing: what append does for many, in two thirds of its time when
-- there is one event.
create function highwater.append_to_stream(
    p_stream text, p_head bigint, p_id uuid[], p_type text[], p_data text[], p_metadata text[],
    out head bigint, out known uuid[], out last bigint
)
language plpgsql
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
set jit = off
as $$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'appending needs the isolation level read committed, not %',
            current_setting('transaction_isolation') using errcode = 'HW002';
    end if;
    perform pg_advisory_xact_lock(hashtextextended('highwater.events', 0));

    head := coalesce(
        (select max(e."offset") from highwater.events e where e.stream = p_stream), -1
    );
    known := array(select e.event_id from highwater.events e where e.event_id = any(p_id));

    if known <> '{}' or not (p_head = -2 or p_head = head or (p_head = -3 and head >= 0)) then
        return;
    end if;

    last := coalesce((select max(e.position) from highwater.events e), -1);

    insert into highwater.events
        (position, stream, "offset", event_id, event_type, data, metadata, bytes)
    select last + e.n, p_stream, head + e.n, e.id, e.type, e.data::json, e.metadata::json,
        octet_length(e.data) + coalesce(octet_length(e.metadata), 0)
    from unnest(p_id, p_type, p_data, p_metadata) with ordinality
        as e(id, type, data, metadata, n);

    last := last + cardinality(p_id);
end
$$;

-- Appends one event, or nothing: what append does for many, in two thirds of its time.
create function highwater.append_event(
    p_stream text, p_head bigint, p_id uuid, p_type text, p_data text, p_metadata text,
    out head bigint, out known uuid[], out last bigint
)
language plpgsql
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
set jit = off
as $$
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'appending needs the isolation level read committed, not %',
            current_setting('transaction_isolation') using errcode = 'HW002';
    end if;
    perform pg_advisory_xact_lock(hashtextextended('highwater.events', 0));

    head := coalesce(
        (select max(e."offset") from highwater.events e where e.stream = p_stream), -1
    );
    known := '{}';
    if exists (select from highwater.events e where e.event_id = p_id) then
        known := array[p_id];
        return;
    end if;
    if not (p_head = -2 or p_head = head or (p_head = -3 and head >= 0)) then
        return;
    end if;

    last := coalesce((select max(e.position) from highwater.events e), -1) + 1;

    insert into highwater.events
        (position, stream, "offset", event_id, event_type, data, metadata, bytes)
    values (
        last, p_stream, head + 1, p_id, p_type, p_data::json, p_metadata::json,
        octet_length(p_data) + coalesce(octet_length(p_metadata), 0)
    );
end
$$;

-- Appends an event and undoes it, for whoever wants to know whether appends succeed. That it was
-- undone is written to the disk, and waited for, like a commit.
create function highwater.probe_append() returns void
language plpgsql
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
set jit = off
set lock_timeout = '10s'
as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('highwater.events', 0));
    insert into highwater.events
        (position, stream, "offset", event_id, event_type, data, bytes)
    select
        coalesce(max(e.position), -1) + 1, 'highwater-probe', -1, gen_random_uuid(), 'Probe',
        'null', 4
    from highwater.events as e;
    raise exception using errcode = 'HW003';
exception when sqlstate 'HW003' then
    null;
end
$$;
