select coalesce(max(position), -1) from highwater.events
