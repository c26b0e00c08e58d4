-- The epochs of leases: a sequence, so that none is given twice, not even after a row is deleted.
create sequence highwater.epochs;

-- How far each projection has come on each source, and who may move it on.
create table highwater.projection_checkpoints (
    projection_name       text        collate "C" not null,
    stream_name           text        collate "C" not null,
    last_processed_offset bigint      not null default -1 check (last_processed_offset >= -1),
    last_updated          timestamptz not null default clock_timestamp(),
    events_processed      bigint      not null default 0 check (events_processed >= 0),
    last_error            text,
    last_error_at         timestamptz,
    epoch                 bigint      not null default 0,
    owner                 text        collate "C",
    lease_until           timestamptz,
    rebuild_requested     boolean     not null default false,
    -- The event at last_processed_offset.
    last_event_id         uuid,
    -- The event that a worker tried alone and may not have come back from; -1 for any behind the
    -- checkpoint, null for none.
    suspect               bigint,
    deaths                bigint      not null default 0,
    is_on_trial           boolean     not null default false,
    primary key (projection_name, stream_name)
) with (fillfactor = 50);

-- Events that a projection has passed over, with their errors; they go with its checkpoint.
create table highwater.dead_letters (
    projection_name text        collate "C" not null,
    stream_name     text        collate "C" not null,
    "offset"        bigint      not null check ("offset" >= 0),
    event_stream    text        collate "C" not null,
    position        bigint      not null,
    event_id        uuid        not null,
    event_type      text        collate "C" not null,
    error           text        not null,
    attempts        bigint      not null,
    recorded_at     timestamptz not null default clock_timestamp(),
    primary key (projection_name, stream_name, "offset"),
    foreign key (projection_name, stream_name)
        references highwater.projection_checkpoints on delete cascade
);

-- Read models made of keyed documents.
create table highwater.documents (
    projection_name text collate "C" not null,
    key             text collate "C" not null,
    data            json not null,
    -- Of data, where known; see events.
    bytes           integer,
    primary key (projection_name, key)
) with (fillfactor = 80);
