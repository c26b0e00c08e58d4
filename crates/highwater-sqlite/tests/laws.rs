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
    open_with(dir, SqliteOptions::default()).await
}

async fn open_with(dir: &TempDir, options: SqliteOptions) -> SqliteStore {
    let file = dir.path().join("store.db");
    SqliteStore::open(file, options).await.expect("the file can be opened")
}

async fn fresh() -> File {
    let dir = tempfile::tempdir().expect("there is a place for temporary files");
    let store = open(&dir).await;
    File { dir, store }
}

highwater_testkit::conformance!(all: crate::fresh);
highwater_testkit::conformance!(sagas: crate::fresh);

/// One connection that reads, beside the one that writes.
mod on_one_reader {
    use super::{File, SqliteOptions, open_with};

    pub(super) async fn fresh() -> File {
        let dir = tempfile::tempdir().expect("there is a place for temporary files");
        let store = open_with(&dir, SqliteOptions { readers: 1, ..SqliteOptions::default() }).await;
        File { dir, store }
    }

    highwater_testkit::conformance!(calls: crate::on_one_reader::fresh);
}
