//! What a storage backend is written with.

pub mod append_group;
pub mod append_rules;
pub mod calls;
mod group_commit;

pub use crate::wake::Bell;
pub use group_commit::GroupCommit;
