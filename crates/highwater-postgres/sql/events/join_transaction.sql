-- $1 milliseconds to wait for the lock, $2 milliseconds that the transaction may then idle
select
    current_setting('transaction_isolation'),
    set_config('lock_timeout', $1, true),
    set_config('idle_in_transaction_session_timeout', $2, true)
