        )
    )
    -- ?9 bytes
    where total <= ?9 or total = bytes
)
order by started_at desc, saga_id desc
