-- ?1 microseconds for which an overdue saga has been due, ?2 the highest count
-- Rows of state or name, version, count. The kinds are found by skipping from one to the next in the
-- index, however many sagas each has.
with recursive kinds (name, version) as (
    select min(saga_name), (
        select definition_version from saga_states
        where due_at is not null order by saga_name, definition_version limit 1
    )
    from (select saga_name from saga_states where due_at is not null order by saga_name limit 1)
    union all
    select (
        select saga_name from saga_states
        where due_at is not null and (saga_name, definition_version) > (kinds.name, kinds.version)
        order by saga_name, definition_version limit 1
    ), (
        select definition_version from saga_states
        where due_at is not null and (saga_name, definition_version) > (kinds.name, kinds.version)
        order by saga_name, definition_version limit 1
    )
    from kinds
    where kinds.name is not null
)
select 'Failed', null, (
    select count(*) from (select 1 from saga_states where state = 'Failed' limit ?2)
)
union all
select 'Paused', null, (
    select count(*) from (
        select 1 from saga_states where state = 'Paused' and error_message is not null limit ?2
    )
)
union all
select name, version, (
    select count(*) from (
        select 1 from saga_states
        where saga_name = kinds.name and definition_version = kinds.version
            and due_at <= (select now from clock) - ?1
        limit ?2
    )
)
from kinds
where name is not null
