-- $1 id, $2 name of the saga, $3 key, $4 payload
select is_new, is_due, ended from highwater.deliver_signal($1, $2, $3, $4)
