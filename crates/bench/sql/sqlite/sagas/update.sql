update sagas
set state = ?2, step = ?3, steps = ?4, data = ?5, last_updated = unixepoch('subsec')
where id = ?1 and step = ?3 - 1
