-- ?1 id, ?2 epoch, ?3 owner, ?4 end of the lease
update saga_states set due_at = ?4 where saga_id = ?1 and epoch = ?2 and owner = ?3
