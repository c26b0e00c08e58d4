//! An append that the database cannot take, among others that it can.

use std::sync::Arc;

use futures::future::join_all;
use highwater_core::{EventStore, Expected, Offset, Payload, StoreError};
use highwater_testkit::Fixture;

use crate::events::{assert_gapless, log, numbers, one};
use crate::support::fresh;

#[tokio::test]
async fn a_payload_that_the_database_refuses_fails_no_other_append() {
    let schema = fresh().await;
    let store = schema.store();
    let appends = (0..20).map(|n| {
        let mut batch = vec![one(&format!("a-{}", n % 4), n)];
        if n % 7 == 3 {
            batch[0].events[0].data = Payload::from_stored("{\"broken\":");
        }
        store.append(batch)
    });
    let results = join_all(appends).await;
    for (n, result) in results.iter().enumerate() {
        let is_refused = matches!(result, Err(StoreError::Backend(_)));
        assert_eq!(is_refused, n % 7 == 3, "{n}: {result:?}");
        assert!(is_refused || result.is_ok(), "{n}: {result:?}");
    }
    let log = log(&store).await;
    assert_gapless(&log);
    assert_eq!(log.len(), 17);
    schema.finish().await;
}

#[tokio::test]
async fn of_concurrent_appends_that_expect_the_same_offset_one_succeeds() {
    let schema = fresh().await;
    let store = Arc::new(schema.store());
    for round in 0..20 {
        let expected = match round {
            0 => Expected::NoStream,
            n => Expected::At(Offset::new(n - 1)),
        };
        // Beside them appends that are always made, and repetitions of one of these.
        let rivals = (0..10).map(|n| store.append(vec![one("a", n).expecting(expected)]));
        let bystander = vec![one("b", round)];
        let bystanders = (0..5).map(|_| store.append(bystander.clone()));
        let (rivals, bystanders) = futures::join!(join_all(rivals), join_all(bystanders));
        let (won, lost): (Vec<_>, Vec<_>) = rivals.into_iter().partition(Result::is_ok);
        assert_eq!((won.len(), lost.len()), (1, 9));
        for lost in lost {
            let at_new_head = matches!(
                lost,
                Err(StoreError::Conflict { actual, .. }) if actual == Some(Offset::new(round))
            );
            assert!(at_new_head, "{lost:?}");
        }
        let first = bystanders[0].as_ref().unwrap();
        assert!(bystanders.iter().all(|b| b.as_ref().unwrap() == first), "{bystanders:?}");
    }
    assert_eq!(numbers(&*store).await.len(), 40);
    schema.finish().await;
}
