select pg_notify('highwater', $1)
