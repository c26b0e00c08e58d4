delete from highwater.documents where projection_name = $1
