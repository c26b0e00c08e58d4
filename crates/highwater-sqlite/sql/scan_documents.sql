-- ?1 projection, ?2 first key, ?3 key to start behind or null, ?4 first key beyond or null, ?5 limit
select key, data
from documents
where projection_name = ?1 and key >= ?2 and (?3 is null or key > ?3) and (?4 is null or key < ?4)
order by key
limit ?5
