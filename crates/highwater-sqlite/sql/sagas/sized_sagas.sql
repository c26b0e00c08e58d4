where saga_id in (
    select saga_id
    from (
        select saga_id, bytes, sum(bytes) over (
            order by started_at desc, saga_id desc rows unbounded preceding
        ) as total
        from (
            select saga_id, started_at,
                octet_length(data) + octet_length(input) + octet_length(completed_steps)
                    + coalesce(octet_length(error_message), 0) + 1024 as bytes
            from saga_states
            where
