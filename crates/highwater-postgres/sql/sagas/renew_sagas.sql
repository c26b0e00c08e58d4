-- of each lease: $1 id, $2 epoch, $3 owner; $4 microseconds; $5 milliseconds to wait for a lock
select highwater.renew_sagas($1, $2, $3, $4)
where (select set_config('lock_timeout', $5, true)) is not null
