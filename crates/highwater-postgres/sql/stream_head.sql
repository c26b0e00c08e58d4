select head from highwater.streams where name = $1
