//! Documents: found under the key they were written to, in the order of the keys.

use highwater_core::{Document, Payload, ProjectionStore, ProjectionTx, StoreError};

use super::rows::{Writes, balances, commit, documents, lease, name, put, to};
use super::support::json;

/// A document is the sum of all batches: the last one says how it stands.
pub async fn documents_are_overwritten_and_removed(store: impl ProjectionStore) {
    let lease = lease(&store, &balances()).await;
    commit(&store, &lease, put(&["ada", "bob", "eve"], 1), to(-1, 0)).await.expect("a commit");
    let mut writes = put(&["ada"], 2);
    writes.push(("bob".to_owned(), None));
    writes.push(("unknown".to_owned(), None));
    commit(&store, &lease, writes, to(0, 1)).await.expect("a commit");
    assert_eq!(documents(&store, "balances").await, ["ada=2", "eve=1"]);

    let mut tx = store.begin(&lease).await.expect("a begin");
    tx.write(put(&["ada", "eve"], 3)).await.expect("a write");
    tx.write(put(&["eve", "bob"], 4)).await.expect("a second write");
    tx.write(vec![("bob".to_owned(), None)]).await.expect("a third write");
    tx.commit(to(1, 2)).await.expect("a commit");
    assert_eq!(documents(&store, "balances").await, ["ada=3", "eve=4"]);
}

/// A document may hold anything that JSON can say.
pub async fn documents_keep_their_value(store: impl ProjectionStore) {
    let lease = lease(&store, &balances()).await;
    let long = format!("\"{}\"", "ä😀".repeat(50_000));
    let texts =
        ["null", "0.1", "[]", "{\"ä\":{\"b\":[1,null,\"\\\"\"]}}", "-9007199254740993", &long];
    let writes: Writes =
        texts.iter().enumerate().map(|(n, text)| (n.to_string(), Some(json(text)))).collect();
    commit(&store, &lease, writes.clone(), to(-1, 0)).await.expect("a commit");
    let found = store.scan(&name("balances"), "", None, 100).await.expect("a scan");
    assert_eq!(found.len(), texts.len());
    for (document, (key, data)) in found.iter().zip(&writes) {
        assert_eq!(&document.key, key);
        let data = data.as_ref().expect("a document");
        assert!(document.data.same_value(data), "{:?} is not {data:?}", document.data);
    }
}

/// The engine asks for what a batch needs; most of it may not be there yet.
pub async fn documents_that_are_missing_are_left_out(store: impl ProjectionStore) {
    let lease = lease(&store, &balances()).await;
    let keys = ["ada", "Ada", "ädä", "a'; --", "%", "with space", "\u{1}"];
    commit(&store, &lease, put(&keys, 1), to(-1, 0)).await.expect("a commit");
    let asked: Vec<String> =
        keys.iter().chain(&["bob", "ad", "adas"]).map(|key| (*key).to_owned()).collect();
    let found = store.documents(&name("balances"), &asked).await.expect("documents");
    let mut found: Vec<_> = found.into_iter().map(|document| document.key).collect();
    found.sort();
    let mut expected = keys.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(store.documents(&name("balances"), &[]).await.expect("documents"), []);
    assert_eq!(store.documents(&name("totals"), &asked).await.expect("documents"), []);
}

/// A list on a screen is read in pages, and each page begins where the last one ended.
pub async fn a_scan_is_ordered_by_bytes_and_read_in_pages(store: impl ProjectionStore) {
    let lease = lease(&store, &balances()).await;
    let ordered =
        ["A", "B", "Z", "a", "a-b", "a/b", "aB", "ab", "b", "z", "ä", "日", "\u{fffd}", "😀"];
    let mut shuffled = ordered.to_vec();
    shuffled.reverse();
    commit(&store, &lease, put(&shuffled, 1), to(-1, 0)).await.expect("a commit");
    for limit in [1, 3, 5, 100] {
        let (mut keys, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = store.scan(&name("balances"), "", after.as_deref(), limit).await;
            let page = page.expect("a scan");
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            keys.extend(page.into_iter().map(|document| document.key));
        }
        assert_eq!(keys, ordered, "in pages of {limit}");
    }
}

/// `50%` is a prefix like any other.
pub async fn a_prefix_is_taken_literally(store: impl ProjectionStore) {
    let lease = lease(&store, &balances()).await;
    let keys = [
        "50",
        "50%",
        "50%-a",
        "500",
        "5_",
        "5_a",
        "5a",
        "\\",
        "\\a",
        "[5]",
        "*",
        "*a",
        "ä",
        "äa",
        "a\u{308}",
        "😀",
        "😀a",
        "\u{10ffff}",
        "\u{10ffff}a",
        "'",
        "'a",
    ];
    commit(&store, &lease, put(&keys, 1), to(-1, 0)).await.expect("a commit");
    for prefix in keys {
        let mut expected: Vec<_> = keys.into_iter().filter(|key| key.starts_with(prefix)).collect();
        expected.sort_unstable();
        let found = store.scan(&name("balances"), prefix, None, 100).await.expect("a scan");
        assert_eq!(keys_of(&found), expected, "prefix {prefix:?}");
    }
    let behind = |prefix, after| {
        let store = &store;
        async move { store.scan(&name("balances"), prefix, Some(after), 100).await.expect("a scan") }
    };
    assert_eq!(keys_of(&behind("50%", "50%").await), ["50%-a"]);
    assert_eq!(keys_of(&behind("50%", "1").await), ["50%", "50%-a"]);
    assert_eq!(keys_of(&behind("50%", "6").await), Vec::<&str>::new());
    assert_eq!(keys_of(&behind("none", "a").await), Vec::<&str>::new());
}

/// Catching up takes large batches; a limit on statement parameters must not show.
pub async fn a_batch_of_five_thousand_documents_commits(store: impl ProjectionStore) {
    let lease = lease(&store, &balances()).await;
    let keys: Vec<String> = (0..5_000).map(|n| format!("user-{n:05}")).collect();
    for round in 0..2_u64 {
        let document = |key: &String| (key.clone(), Some(Payload::from(serde_json::json!(round))));
        let writes = keys.iter().map(document).collect();
        let place = round.cast_signed();
        commit(&store, &lease, writes, to(place - 1, place)).await.expect("a commit");
    }
    let found = store.documents(&name("balances"), &keys).await.expect("documents");
    assert_eq!(found.len(), 5_000);
    assert!(found.iter().all(|document| document.data.as_str() == "1"));
    let removals = keys[1..].iter().map(|key| (key.clone(), None)).collect();
    commit(&store, &lease, removals, to(1, 2)).await.expect("a commit");
    assert_eq!(documents(&store, "balances").await, ["user-00000=1"]);
}

/// A key that one store takes and another one does not would tie a projection to its store.
pub async fn a_key_that_breaks_the_rules_is_refused(store: impl ProjectionStore) {
    let lease = lease(&store, &balances()).await;
    let longest = "k".repeat(Document::KEY_BYTES_MAX);
    let longer = "k".repeat(Document::KEY_BYTES_MAX + 1);
    for bad in ["", "a\0b", &longer] {
        let result = commit(&store, &lease, put(&["ada", bad], 1), to(-1, 0)).await;
        let is_refused =
            matches!(result, Err(StoreError::Invalid(_) | StoreError::TooLarge { .. }));
        assert!(is_refused, "{bad:?}: {result:?}");
    }
    assert_eq!(documents(&store, "balances").await, Vec::<String>::new());
    commit(&store, &lease, put(&[&longest], 1), to(-1, 0)).await.expect("the longest key");
    assert_eq!(documents(&store, "balances").await, [format!("{longest}=1")]);
}

fn keys_of(documents: &[Document]) -> Vec<&str> {
    documents.iter().map(|document| document.key.as_str()).collect()
}
