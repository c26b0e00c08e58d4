-- ?1 after this position, ?2 limit
select position, stream, "offset", type, data
from events
where position > ?
order by position limit ?
