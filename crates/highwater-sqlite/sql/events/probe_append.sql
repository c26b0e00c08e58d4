-- As many pages as a small append writes, so that the disk has room for that too.
insert into probes (id, padding) values (0, randomblob(8192))
on conflict (id) do update set padding = excluded.padding
