-- of each lease: $1 id, $2 epoch, $3 owner; $4 microseconds
select highwater.renew_sagas($1, $2, $3, $4)
