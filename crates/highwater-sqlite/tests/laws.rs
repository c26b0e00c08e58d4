//! The laws of every store, each on a fresh file.

use highwater_sqlite::{SqliteOptions, SqliteStore};
use highwater_testkit::Fixture;
use tempfile::TempDir;

/// A store in a directory that goes with it.
struct File {
    dir: TempDir,
    store: SqliteStore,
}

impl Fixture for File {
    type Store = SqliteStore;

    fn store(&self) -> SqliteStore {
        self.store.clone()
    }

    async fn reopen(&self) -> SqliteStore {
        open(&self.dir).await
    }

    async fn finish(self) {
        self.store.close().await;
        self.dir.close().expect("the directory can be removed");
    }
}

async fn open(dir: &TempDir) -> SqliteStore {
    let file = dir.path().join("store.db");
    SqliteStore::open(file, SqliteOptions::default()).await.expect("the file can be opened")
}

async fn fresh() -> File {
    let dir = tempfile::tempdir().expect("there is a place for temporary files");
    let store = open(&dir).await;
    File { dir, store }
}

highwater_testkit::conformance!(all: crate::fresh);
highwater_testkit::conformance!(sagas: crate::fresh);
