create table sagas (
    id text primary key,
    state text not null,
    step integer not null,
    steps text not null,
    data text not null,
    started_at real not null default (unixepoch('subsec')),
    last_updated real not null default (unixepoch('subsec'))
) without rowid;
