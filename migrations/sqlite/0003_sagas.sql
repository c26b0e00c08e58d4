-- How far each saga has come, who may move it on, and when it can next be claimed.
create table saga_states (
    saga_id            text    not null primary key,
    correlation_id     text    not null,
    saga_name          text    not null,
    definition_version integer not null,
    state              text    not null,
    current_step       integer not null,
    total_steps        integer not null,
    completed_steps    text    not null,
    data               text    not null,
    started_at         integer not null,
    last_updated       integer not null,
    completed_at       integer,
    error_message      text,
    plan               text    not null,
    input              text    not null,
    is_unwinding       integer not null check (is_unwinding in (0, 1)),
    waiting_for        text,
    request            text,
    revision           integer not null check (revision >= 0),
    epoch              integer not null check (epoch >= 0),
    owner              text,
    due_at             integer,
    timer_at           integer,
    deadline_at        integer
) strict;

create index saga_states_due on saga_states (saga_name, definition_version, due_at)
    where due_at is not null;
-- Those that the engine has paused: never many.
create index saga_states_paused on saga_states (saga_name)
    where state = 'Paused' and error_message is not null;
create index saga_states_waiting on saga_states (saga_name, waiting_for)
    where waiting_for is not null;
create index saga_states_correlation on saga_states (correlation_id, started_at, saga_id);
create index saga_states_state on saga_states (state, started_at, saga_id);
create index saga_states_name on saga_states (saga_name, started_at, saga_id);
create index saga_states_started on saga_states (started_at, saga_id);

-- What sagas wait for, kept from its arrival; nth is the order in which signals came.
create table saga_signals (
    nth         integer primary key,
    signal_id   blob    not null check (length(signal_id) = 16),
    saga_name   text    not null,
    signal_key  text    not null,
    data        text    not null,
    received_at integer not null,
    taken_by    text,
    is_used_up  integer not null default 0 check (is_used_up in (0, 1)),
    unique (signal_id, saga_name, signal_key)
) strict;

create index saga_signals_open on saga_signals (saga_name, signal_key, nth) where is_used_up = 0;

-- What ended sagas waited for, or would have, and which of them ended last.
create table saga_closed_keys (
    saga_name  text not null,
    signal_key text not null,
    saga_id    text not null,
    primary key (saga_name, signal_key)
) strict, without rowid;
