-- $1 id, $2 name of the saga, $3 key, $4 payload; $5 milliseconds to wait for a lock
select is_new, is_due, ended from highwater.deliver_signal($1, $2, $3, $4)
where (select set_config('lock_timeout', $5, true)) is not null
