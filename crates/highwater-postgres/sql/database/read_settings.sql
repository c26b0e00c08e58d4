select
    current_setting('server_encoding'),
    current_setting('default_transaction_isolation'),
    (select setting::bigint from pg_settings where name = 'statement_timeout')
