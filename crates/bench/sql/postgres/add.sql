-- $1 customers, $2 orders, $3 cents
insert into raw.totals as t (customer, orders, cents)
select * from unnest($1::text[], $2::bigint[], $3::bigint[])
on conflict (customer) do update
set orders = t.orders + excluded.orders, cents = t.cents + excluded.cents
