//! The laws, on a checkpoint store that keeps its rows in a plain JSON file.
//!
//! `docs/checkpoint-store.md` walks through it.

mod store;
mod table;

use highwater_testkit::Fixture;

use store::CheckpointFile;

highwater_testkit::conformance!(checkpoints: fresh);

/// A file of its own for every law; the folder goes with the fixture.
struct FreshFile {
    folder: tempfile::TempDir,
}

async fn fresh() -> FreshFile {
    FreshFile { folder: tempfile::tempdir().expect("a temporary folder") }
}

impl Fixture for FreshFile {
    type Store = CheckpointFile;

    fn store(&self) -> CheckpointFile {
        CheckpointFile::new(self.folder.path().join("checkpoints.json"))
    }

    async fn reopen(&self) -> CheckpointFile {
        self.store()
    }

    async fn finish(self) {
        self.folder.close().expect("the folder is removed");
    }
}
