-- ?1 projection, ?2 first key, ?3 key to start behind or null, ?4 first key beyond or null, ?5 limit,
-- ?6 bytes
with sized as (
    select key, bytes, sum(bytes) over (order by key rows unbounded preceding) as total
    from (
        select key, octet_length(data) + octet_length(key) + 128 as bytes
        from documents
        where projection_name = ?1 and key >= ?2
            and (?3 is null or key > ?3) and (?4 is null or key < ?4)
        order by key
        limit ?5
    )
)
select key, data
from documents
where projection_name = ?1 and key >= ?2
    and (?3 is null or key > ?3)
    and key <= (select max(key) from sized where total <= ?6 or total = bytes)
order by key
