select max("offset") from highwater.events where stream = $1
