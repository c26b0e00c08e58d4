    -- ?1 correlation id, ?2 name, ?3 state, or null for any; ?4 from, ?5 until; ?6 start and
    -- ?7 id of the saga that they come after; ?8 limit
    (?1 is null or correlation_id = ?1)
    and (?2 is null or saga_name = ?2)
    and (?3 is null or state = ?3)
    and started_at >= ?4 and started_at < ?5
    and (started_at, saga_id) < (?6, ?7)
order by started_at desc, saga_id desc
limit ?8
