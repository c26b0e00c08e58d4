delete from highwater.documents where projection_name = $1 and key = any($2)
