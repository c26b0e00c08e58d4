create schema raw;
create table raw.events (
    position bigint generated always as identity primary key,
    stream text not null,
    "offset" bigint not null,
    type text not null,
    data json not null,
    unique (stream, "offset")
);
create table raw.imports (
    like raw.events including identity including indexes,
    event_id uuid not null unique
);
create table raw.totals (customer text primary key, orders bigint not null, cents bigint not null);
create table raw.checkpoint (position bigint not null);
insert into raw.checkpoint values (-1);
