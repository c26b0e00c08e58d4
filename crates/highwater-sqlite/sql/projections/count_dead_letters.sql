-- ?1 projection, ?2 source, ?3 the highest count
select count(*)
from (
    select 1 from dead_letters where projection_name = ?1 and stream_name = ?2 limit ?3
)
