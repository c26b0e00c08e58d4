-- $1 projection, $2 from this key, $3 behind this key or null, $4 below this key or null, $5 limit
select key, data from highwater.documents
where projection_name = $1 and key >= $2
    and ($3::text is null or key > $3)
    and ($4::text is null or key < $4)
order by key
limit $5
