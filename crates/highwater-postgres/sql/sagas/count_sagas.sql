-- $1 microseconds for which an overdue saga has been due, $2 the highest count
select failed, paused, names, versions, overdue from highwater.count_sagas($1, $2)
