-- The sagas with these ids. As a query of its own it scans the whole table when nobody has
-- analysed that yet, or when its plan was made while it was small.
create function highwater.known_sagas(p_id text[]) returns setof highwater.saga_states
language plpgsql
stable
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
begin
    return query select s.* from highwater.saga_states as s where s.saga_id = any (p_id);
end
$$;
