//! The database finds events by index, however the tables have grown since a plan was made.

use highwater_core::{EventStore, NewEvent, StreamName};
use highwater_postgres::PgOptions;
use highwater_testkit::Fixture;
use sqlx::{Connection, PgConnection, Row};

use crate::events::{event, named_url, one, patiently};
use crate::support::{Schema, fresh, open};

const QUERIES: [(&str, &str); 7] = [
    (include_str!("../../sql/events/read_all.sql"), "17, 100, 4096"),
    (include_str!("../../sql/events/read_stream.sql"), "'a-1', 17, 100, 4096"),
    (include_str!("../../sql/events/scan_all.sql"), "17, 5000, '{Counted}', 'a', 'a-', 100, 4096"),
    (include_str!("../../sql/events/scan_stream.sql"), "'a-1', 17, 5000, '{Counted}', 100, 4096"),
    (include_str!("../../sql/events/read_head.sql"), ""),
    (include_str!("../../sql/events/read_stream_head.sql"), "'a-1'"),
    (include_str!("../../sql/events/find_events.sql"), "'{b5c1a3c4-0e0f-7aaa-8bbb-0123456789ab}'"),
];

/// Plans are kept from when the log was empty, and made anew now and then.
#[tokio::test]
async fn no_hot_query_reads_the_log_from_end_to_end() {
    let schema = fresh().await;
    for (query, arguments) in QUERIES {
        assert_by_index(&schema, "force_generic_plan", query, arguments).await;
    }
    let events: Vec<(StreamName, NewEvent)> = (0..10_000)
        .map(|n| (StreamName::new(format!("a-{}", n % 50)).unwrap(), event(n)))
        .collect();
    schema.store().import(events).await.unwrap();
    schema.run("analyze @.events").await.unwrap();
    for (query, arguments) in QUERIES {
        assert_by_index(&schema, "force_generic_plan", query, arguments).await;
        assert_by_index(&schema, "force_custom_plan", query, arguments).await;
    }
    schema.finish().await;
}

async fn assert_by_index(schema: &Schema, plans: &str, query: &str, arguments: &str) {
    let plan = explain(schema, plans, query, arguments).await;
    assert!(plan.contains("Index") && !plan.contains("Seq Scan"), "{plans}: {query}\n{plan}");
    // A plan that knows how little there is may sort it; one that is kept may not.
    let is_kept = plans == "force_generic_plan";
    assert!(!(is_kept && plan.contains("Sort")), "{plans}: {query}\n{plan}");
}

/// The plan of a prepared statement.
pub(crate) async fn explain(schema: &Schema, plans: &str, query: &str, arguments: &str) -> String {
    let mut conn = PgConnection::connect(&schema.url).await.unwrap();
    let schema = format!("{}.", schema.options.schema);
    let prepare = format!("set plan_cache_mode = {plans}; prepare hot as {query}")
        .replace("highwater.", &schema);
    sqlx::raw_sql(sqlx::AssertSqlSafe(prepare)).execute(&mut conn).await.unwrap();
    let execute = if arguments.is_empty() { String::new() } else { format!("({arguments})") };
    let explain = format!("explain (costs off) execute hot{execute}");
    let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(explain)).fetch_all(&mut conn).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0) + "\n").collect()
}

#[tokio::test]
async fn appends_never_scan_a_table_that_was_empty_when_they_were_planned() {
    let schema = fresh().await;
    let options = PgOptions { migrate: false, ..schema.options.clone() };
    let store = open(&named_url(&schema), &options).await;
    for n in 0..300 {
        let several = vec![one(&format!("a-{n}"), n), one("b", n)];
        for batch in [vec![one("c", n)], several] {
            store.append(batch.clone()).await.unwrap();
            store.append(batch).await.expect("a repetition");
        }
    }
    store.close().await;
    let scans = scans(&schema, &["events"]).await;
    assert!(scans < 20, "{scans} scans, of which creating the schema takes a few");
    schema.finish().await;
}

/// How often these tables have been read from end to end.
pub(crate) async fn scans(schema: &Schema, tables: &[&str]) -> i64 {
    let (store, name) = (schema.store(), &schema.options.schema);
    // The statistics of a session are complete when it has ended.
    patiently("the end of every session", async {
        let sql = "select count(*) from pg_stat_activity where application_name = $1";
        let sessions = || sqlx::query(sql).bind(name).fetch_one(store.pool());
        while sessions().await.unwrap().get::<i64, _>(0) > 0 {}
    })
    .await;
    let sql = "select coalesce(sum(seq_scan), 0)::bigint from pg_stat_user_tables
        where schemaname = $1 and relname = any($2)";
    sqlx::query(sql).bind(name).bind(tables).fetch_one(store.pool()).await.unwrap().get(0)
}

/// Compiling a plan takes hundreds of times as long as what the plan does.
#[tokio::test]
async fn no_function_has_its_plans_compiled() {
    let schema = fresh().await;
    let sql = "select p.proname::text from pg_proc p join pg_language l on l.oid = p.prolang
        where p.pronamespace = $1::regnamespace and l.lanname = 'plpgsql'
            and p.prorettype <> 'trigger'::regtype
            and not ('jit=off' = any (coalesce(p.proconfig, '{}')))";
    let compiled = sqlx::query_scalar::<_, String>(sql).bind(&schema.options.schema);
    let compiled = compiled.fetch_all(schema.store().pool()).await.unwrap();
    assert_eq!(compiled, Vec::<String>::new());
    schema.finish().await;
}

/// A row that each append updates has a version for each of them, as long as a snapshot is held.
#[tokio::test]
async fn appends_update_no_row_so_that_an_old_snapshot_slows_none() {
    let schema = fresh().await;
    let options = PgOptions { migrate: false, ..schema.options.clone() };
    let store = open(&named_url(&schema), &options).await;
    for n in 0..20 {
        let several = vec![one("hot", n), one(&format!("a-{n}"), n)];
        for batch in [vec![one("hot", n)], several] {
            store.append(batch).await.unwrap();
        }
    }
    store.close().await;
    scans(&schema, &[]).await;
    let sql = "select coalesce(sum(n_tup_upd + n_tup_del), 0)::bigint, sum(n_tup_ins)::bigint
        from pg_stat_user_tables where schemaname = $1 and relname <> 'migrations'";
    let row = sqlx::query(sql).bind(&schema.options.schema).fetch_one(schema.store().pool()).await;
    let row = row.unwrap();
    assert_eq!((row.get::<i64, _>(0), row.get::<i64, _>(1)), (0, 60));
    schema.finish().await;
}
