-- One thing that happened may be a signal to several sagas, each of which knows it by its own key.
create table new_saga_signals (
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

insert into new_saga_signals
    (nth, signal_id, saga_name, signal_key, data, received_at, taken_by, is_used_up)
select nth, signal_id, saga_name, signal_key, data, received_at, taken_by, is_used_up
from saga_signals;

drop table saga_signals;
alter table new_saga_signals rename to saga_signals;
create index saga_signals_open on saga_signals (saga_name, signal_key, nth) where is_used_up = 0;
