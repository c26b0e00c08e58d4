select coalesce(max("offset"), -1) from highwater.events where stream = $1
