-- The time by which everything in this file is stamped: microseconds since 1970, of which
-- SQLite tells whole thousands.
create view clock as
select cast(round(unixepoch('subsec') * 1000) as integer) * 1000 as now;

-- The log. A position is given inside the one write transaction that SQLite admits at a time,
-- so that positions are gapless and their order is the order of the commits.
create table events (
    position    integer primary key check (position >= 0),
    stream      text    not null,
    "offset"    integer not null check ("offset" >= 0),
    event_id    blob    not null check (length(event_id) = 16),
    event_type  text    not null,
    data        text    not null,
    metadata    text,
    recorded_at integer not null,
    -- As StreamName::category has it: the part before the first dash, unless that is empty.
    category    text    not null generated always as (
        case when instr(stream, '-') > 1 then substr(stream, 1, instr(stream, '-') - 1) else stream end
    ) virtual
) strict;

-- Its last entry for a stream is the stream's head.
create unique index events_stream on events (stream, "offset");
create unique index events_id on events (event_id);
-- A category is followed by its own events alone, however many others there are.
create index events_category on events (category, position);

create trigger events_are_not_updated before update on events
begin
    select raise(abort, 'events are never updated');
end;

create trigger events_are_not_deleted before delete on events
begin
    select raise(abort, 'events are never deleted');
end;
