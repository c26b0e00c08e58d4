-- $1 from and $2 to these places of the write-ahead log; commits that wrote nothing are not in it
select coalesce(sum("count"), 0)::bigint
from pg_get_wal_stats($1::pg_lsn, $2::pg_lsn, true)
where "resource_manager/record_type" = 'Transaction/COMMIT'
