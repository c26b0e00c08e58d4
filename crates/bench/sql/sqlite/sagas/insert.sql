insert into sagas (id, state, step, steps, data) values (?1, ?2, ?3, ?4, ?5)
