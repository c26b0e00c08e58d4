-- ?1 customer, ?2 orders, ?3 cents
insert into totals (customer, orders, cents) values (?, ?, ?)
on conflict (customer) do update
set orders = orders + excluded.orders, cents = cents + excluded.cents
