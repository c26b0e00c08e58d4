//! Categories are read by index.

use highwater_core::{Category, EventStore, EventType, NewEvent, Offset, Source, StreamName};
use sqlx::Row;

use crate::fixture::{event, fresh};

const READ_CATEGORY: &str = include_str!("../../sql/events/read_category.sql");
const EVENTS: usize = 20_000;

#[tokio::test]
async fn a_category_is_read_by_index_and_an_invented_one_in_a_single_page() {
    let (_dir, store) = fresh().await;
    let stream = |n: usize| match n {
        7 => StreamName::from_static("rare-1"),
        n => StreamName::new(format!("account-{}", n % 50)).unwrap(),
    };
    for chunk in (0..EVENTS).collect::<Vec<_>>().chunks(5_000) {
        let events: Vec<(StreamName, NewEvent)> =
            chunk.iter().map(|n| (stream(*n), event(*n))).collect();
        store.import(events).await.unwrap();
    }
    let last = Some(Offset::new(EVENTS as u64 - 1));
    let counted = [EventType::from_static("Counted")];
    for types in [&[][..], &counted[..]] {
        for (category, expected) in [("rare", 1), ("invented", 0)] {
            let source = Source::Category(Category::new(category).unwrap());
            let page = store.read(&source, types, None, 100).await.unwrap();
            assert_eq!((page.events.len(), page.is_end), (expected, true), "{category}");
            assert_eq!(page.scanned_to, last);
        }
    }
    let explain = format!("explain query plan {READ_CATEGORY}");
    let plan = sqlx::query(sqlx::AssertSqlSafe(explain)).fetch_all(store.readers()).await.unwrap();
    let plan: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
    let is_by_index = plan[0].contains("USING INDEX events_category (category=? AND rowid>?")
        || plan[0].contains("USING INDEX events_category (category=? AND position>?");
    assert!(is_by_index && !plan.join(";").contains("TEMP B-TREE"), "{plan:?}");
}
