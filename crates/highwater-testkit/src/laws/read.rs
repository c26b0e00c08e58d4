//! Reads: in order, from behind a place, and never past what was not looked at.

use highwater_core::{EventStore, EventType, NewEvent, Offset, RecordedEvent, Source, StoreError};

use super::support::{append, at, data, event, events, json, read_to_end, source};

/// A page must be neither more than was asked for nor begin with what is known already.
pub async fn a_read_begins_behind_after_and_stops_at_the_limit(store: impl EventStore) {
    append(&store, "a", events(0..10)).await;
    for (after, limit, expected) in [
        (None, 3, vec!["0", "1", "2"]),
        (at(0), 3, vec!["1", "2", "3"]),
        (at(7), 1, vec!["8"]),
        (at(7), 100, vec!["8", "9"]),
        (at(9), 100, vec![]),
        (at(1_000), 100, vec![]),
    ] {
        let page = store.read(&source("a"), &[], after, limit).await.expect("a read");
        assert_eq!(data(&page.events), expected, "after {after:?}, limit {limit}");
    }
}

/// A page of nothing would tell its reader nothing, for ever.
pub async fn a_limit_of_zero_is_refused(store: impl EventStore) {
    append(&store, "a", events(0..1)).await;
    for name in ["a", "$category:a", "$all"] {
        let result = store.read(&source(name), &[], None, 0).await;
        assert!(matches!(result, Err(StoreError::Invalid(_))), "{name}: {result:?}");
    }
}

/// A projection may be started before the first event that it is for.
pub async fn an_unknown_source_is_an_empty_one(store: impl EventStore) {
    for name in ["a", "$category:a", "$all"] {
        let page = store.read(&source(name), &[], None, 10).await.expect("a read");
        assert_eq!((page.events.len(), page.scanned_to, page.is_end), (0, None, true), "{name}");
        assert_eq!(store.head(&source(name)).await.expect("a head"), None, "{name}");
    }
    append(&store, "other-1", events(0..1)).await;
    let page = store.read(&source("a"), &[], None, 10).await.expect("a read");
    assert_eq!((page.events.len(), page.scanned_to, page.is_end), (0, None, true));
}

/// Cause comes before effect, for every reader.
pub async fn positions_increase_in_the_order_of_appends(store: impl EventStore) {
    let mut last = None;
    for n in 0..20 {
        let name = format!("s-{}", n % 3);
        let appended = append(&store, &name, events(2 * n..2 * n + 2)).await;
        assert!(Some(appended.position) > last, "a later append has a higher position");
        last = Some(appended.position);
    }
    for name in ["$all", "$category:s"] {
        let log = read_to_end(&store, &source(name)).await;
        let counted: Vec<String> = (0..40).map(|n| n.to_string()).collect();
        assert_eq!(data(&log), counted, "{name}");
        assert!(log.is_sorted_by(|one, two| one.position < two.position), "{name}");
    }
}

/// A projection that asks for three types must not pay for thirty.
pub async fn a_type_filter_returns_only_these_types(store: impl EventStore) {
    let log = mixed_log(&store).await;
    for name in ["$all", "$category:receipt", "receipt-1"] {
        for types in [vec![A], vec![B, C], vec![EventType::from_static("Unheard")]] {
            let found = visit(&store, &source(name), &types, 1_000).await;
            assert_eq!(found, belonging(&log, &source(name), &types), "{name} {types:?}");
        }
    }
}

/// `receiptX-1` shares letters with the category `receipt`, and nothing else.
pub async fn a_category_holds_its_streams_and_no_namesakes(store: impl EventStore) {
    let names = [
        "receipt-1",
        "receipt",
        "receiptX-1",
        "receipt-",
        "receipts",
        "Receipt-2",
        "receipt-1-2",
        "a-receipt-1",
        "-receipt",
        "receipt_1",
        "receipt%-1",
        "receip-t",
    ];
    for (n, name) in names.into_iter().enumerate() {
        append(&store, name, vec![event(n as u64)]).await;
    }
    for (category, expected) in [
        ("$category:receipt", vec!["0", "1", "3", "6"]),
        ("$category:receiptX", vec!["2"]),
        ("$category:-receipt", vec!["8"]),
        ("$category:receipt_1", vec!["9"]),
        ("$category:receipt%", vec!["10"]),
        ("$category:rec", vec![]),
    ] {
        let found = read_to_end(&store, &source(category)).await;
        assert_eq!(data(&found), expected, "{category}");
    }
}

/// A checkpoint moves to `scanned_to`: too low repeats work for ever, too high loses events.
pub async fn reading_on_from_scanned_to_visits_every_event_once(store: impl EventStore) {
    let log = mixed_log(&store).await;
    for name in ["$all", "$category:receipt", "$category:rare", "receipt-1", "none"] {
        let source = source(name);
        for types in [vec![], vec![A], vec![C], vec![EventType::from_static("Unheard")]] {
            for limit in [1, 2, 3, 7, 1_000] {
                let visited = visit(&store, &source, &types, limit).await;
                let expected = belonging(&log, &source, &types);
                assert_eq!(visited, expected, "{name} {types:?} by {limit}");
            }
        }
    }
}

/// A sparse projection would never catch up if what was filtered out did not count.
pub async fn a_filter_that_matches_nothing_is_scanned_to_the_head(store: impl EventStore) {
    append(&store, "user-1", events(0..30)).await;
    append(&store, "order-1", events(30..31)).await;
    let unheard = [EventType::from_static("Unheard")];
    for (name, types) in [("$all", &unheard[..]), ("user-1", &unheard), ("$category:none", &[])] {
        let source = source(name);
        let (mut after, mut is_end) = (None, false);
        while !is_end {
            let page = store.read(&source, types, after, 5).await.expect("a read");
            assert!(page.events.is_empty());
            (after, is_end) = (page.scanned_to, page.is_end);
        }
        assert_eq!(after, store.head(&source).await.expect("a head"), "{name}");
        assert!(after.is_some());
    }
}

/// Lag is the distance to the head; a reader at the end must have none.
pub async fn the_head_is_the_last_event_and_for_a_category_that_of_the_log(store: impl EventStore) {
    append(&store, "a-1", events(0..3)).await;
    let last = append(&store, "b-1", events(3..5)).await;
    let end = at(last.position.get());
    for (name, head) in [
        ("a-1", at(2)),
        ("b-1", at(1)),
        ("$all", end),
        ("$category:a", end),
        ("$category:b", end),
        ("$category:none", end),
        ("none", None),
    ] {
        assert_eq!(store.head(&source(name)).await.expect("a head"), head, "{name}");
    }
}

const A: EventType = EventType::from_static("A");
const B: EventType = EventType::from_static("B");
const C: EventType = EventType::from_static("C");

/// Appends events of three types to streams of three categories; the whole log.
async fn mixed_log(store: &impl EventStore) -> Vec<RecordedEvent> {
    for n in 0..60_u64 {
        let name = match n % 20 {
            7 => "rare-1".to_owned(),
            k if k % 2 == 0 => format!("receipt-{}", k % 3),
            k => format!("user-{}", k % 3),
        };
        let event_type = [A, B, B, A, C][(n % 5) as usize].clone();
        append(store, &name, vec![NewEvent::new(event_type, json(&n.to_string()))]).await;
    }
    let log = read_to_end(store, &Source::All).await;
    assert_eq!(log.len(), 60);
    log
}

fn belonging(log: &[RecordedEvent], source: &Source, types: &[EventType]) -> Vec<RecordedEvent> {
    let belongs = |event: &&RecordedEvent| {
        source.contains(event) && (types.is_empty() || types.contains(&event.event_type))
    };
    log.iter().filter(belongs).cloned().collect()
}

/// Reads page by page to the end, and checks what every page says of itself.
async fn visit(
    store: &impl EventStore,
    source: &Source,
    types: &[EventType],
    limit: usize,
) -> Vec<RecordedEvent> {
    let (mut visited, mut after) = (Vec::new(), None::<Offset>);
    loop {
        let page = store.read(source, types, after, limit).await.expect("a read");
        assert!(page.events.len() <= limit);
        let last = page.events.last().map(|event| source.offset_of(event));
        assert!(page.scanned_to >= last.max(after), "scanned at least to the last event");
        assert!(page.is_end || page.scanned_to > after, "a page gets on or is the end");
        visited.extend(page.events);
        after = page.scanned_to;
        if page.is_end {
            assert_eq!(after, store.head(source).await.expect("a head"));
            return visited;
        }
    }
}
