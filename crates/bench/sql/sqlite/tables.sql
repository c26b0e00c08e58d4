create table events (
    position integer primary key,
    stream text not null,
    "offset" integer not null,
    type text not null,
    data text not null,
    unique (stream, "offset")
);
create table totals (customer text primary key, orders integer not null, cents integer not null);
create table checkpoint (position integer not null);
insert into checkpoint values (-1);
