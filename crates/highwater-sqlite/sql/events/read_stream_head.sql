-- ?1 stream
select max("offset") from events where stream = ?1
