-- How far each projection has come on each source, and who may move it on.
create table checkpoints (
    projection_name       text    not null,
    stream_name           text    not null,
    last_processed_offset integer not null default -1 check (last_processed_offset >= -1),
    last_updated          integer not null,
    events_processed      integer not null default 0 check (events_processed >= 0),
    last_error            text,
    last_error_at         integer,
    epoch                 integer not null default 0,
    owner                 text,
    lease_until           integer,
    rebuild_requested     integer not null default 0 check (rebuild_requested in (0, 1)),
    -- The event at last_processed_offset.
    last_event_id         blob,
    -- The event that a worker tried alone and may not have come back from; -1 for any behind the
    -- checkpoint, null for none.
    suspect               integer,
    deaths                integer not null default 0,
    is_on_trial           integer not null default 0 check (is_on_trial in (0, 1)),
    primary key (projection_name, stream_name)
) strict, without rowid;

-- The last epoch given to a lease; kept apart so that deleting a checkpoint frees none.
create table lease_epochs (
    id   integer primary key check (id = 0),
    last integer not null
) strict;

insert into lease_epochs (id, last) values (0, 0);

-- Events that a projection has passed over, with their errors.
create table dead_letters (
    projection_name text    not null,
    stream_name     text    not null,
    "offset"        integer not null check ("offset" >= 0),
    event_stream    text    not null,
    position        integer not null,
    event_id        blob    not null,
    event_type      text    not null,
    error           text    not null,
    attempts        integer not null,
    recorded_at     integer not null,
    primary key (projection_name, stream_name, "offset")
) strict, without rowid;

-- Read models made of keyed documents.
create table documents (
    projection_name text not null,
    key             text not null,
    data            text not null,
    primary key (projection_name, key)
) strict, without rowid;
