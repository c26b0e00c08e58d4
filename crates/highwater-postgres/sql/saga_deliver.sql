-- $1 id, $2 name of the saga, $3 key, $4 payload
select highwater.deliver_signal($1, $2, $3, $4)
