-- $1 positions
select position, data, metadata from highwater.events where position = any($1)
