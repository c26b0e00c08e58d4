-- The log. Positions are given under a lock that is held until the commit, see the function
-- append: they are gapless, and their order is the order in which commits became visible. There are
-- no check constraints, which would cost a single append a tenth of its time.
create table highwater.events (
    position    bigint      primary key,
    stream      text        collate "C" not null,
    "offset"    bigint      not null,
    event_id    uuid        not null constraint events_id unique,
    event_type  text        collate "C" not null,
    data        json        not null,
    metadata    json,
    recorded_at timestamptz not null default clock_timestamp(),
    constraint events_stream unique (stream, "offset")
);

create function highwater.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'events are never changed: % refused', lower(tg_op)
        using errcode = 'restrict_violation';
end
$$;

create trigger events_are_never_changed
    before update or delete or truncate on highwater.events
    for each statement execute function highwater.refuse_change();
