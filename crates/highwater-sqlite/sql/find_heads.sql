-- ?1 names of streams, as a JSON array; the first row is the head of the log, and the time
select null as name, coalesce((select max(position) from events), -1) as head, now from clock
union all
select name, head, 0 from streams where name in (select value from json_each(?1))
