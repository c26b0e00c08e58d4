-- $1 after this position, $2 limit
select position, stream, "offset", type, data
from raw.events
where position > $1
order by position limit $2
