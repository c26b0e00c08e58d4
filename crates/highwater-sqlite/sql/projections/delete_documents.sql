-- ?1 projection, ?2 keys as a JSON array
delete from documents
where projection_name = ?1 and key in (select value from json_each(?2))
