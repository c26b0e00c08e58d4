-- $1 projection, $2 from this key, $3 behind this key or null, $4 below this key or null, $5 limit,
-- $6 bytes
select key, data
from (
    select p.key, p.data, p.bytes,
        sum(p.bytes) over (order by p.key rows unbounded preceding) as total
    from (
        select
            key, data,
            coalesce(bytes, octet_length(data::text)) + octet_length(key) + 128 as bytes
        from highwater.documents
        where projection_name = $1 and key >= $2
            and ($3::text is null or key > $3)
            and ($4::text is null or key < $4)
        order by key
        limit $5
    ) as p
) as sized
where total <= $6 or total = bytes
order by key
