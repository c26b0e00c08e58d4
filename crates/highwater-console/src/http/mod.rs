//! What every route answers with.

pub(crate) mod bodies;
pub(crate) mod cross_site;
pub(crate) mod finish;
pub(crate) mod json_body;
pub(crate) mod named;
pub(crate) mod object;
pub(crate) mod problem;

pub use cross_site::refuse_cross_site;
pub use finish::finish;
pub use json_body::JsonBody;
pub use object::Object;
pub use problem::Problem;
