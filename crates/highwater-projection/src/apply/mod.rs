//! The three ways to write a projection, behind one interface of the loop.

pub(crate) mod applier;
pub(crate) mod documents;
pub(crate) mod found;
pub(crate) mod handler;
pub(crate) mod transactional;
pub(crate) mod view;
