create schema if not exists raw_sagas;
create table if not exists raw_sagas.sagas (
    id text primary key,
    state text not null,
    step bigint not null,
    steps json not null,
    data json not null,
    started_at timestamptz not null default clock_timestamp(),
    last_updated timestamptz not null default clock_timestamp()
) with (fillfactor = 50);
