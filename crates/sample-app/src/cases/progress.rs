//! `case-progress`: how far each case, which is a stream, has come.

use highwater::{BoxError, Payload, ProjectionName, Recorded, Source, View};
use serde::{Deserialize, Serialize};

use crate::import::cloud_event;
use crate::users::event::USERS;

/// The name of the view.
pub(crate) const NAME: ProjectionName = ProjectionName::from_static("case-progress");

/// The view with one document for every stream but that of the users.
#[derive(Debug)]
pub(crate) struct CaseProgress;

/// How far one case has come; first and last are by the order in the stream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Case {
    pub(crate) events: u64,
    pub(crate) first_event_time: String,
    pub(crate) last_event_time: String,
    pub(crate) last_event_type: String,
}

impl View for CaseProgress {
    type Event = Payload;
    type Document = Case;

    fn name(&self) -> ProjectionName {
        NAME
    }

    fn source(&self) -> Source {
        Source::All
    }

    fn keys(&self, event: &Recorded<Payload>) -> impl IntoIterator<Item = String> {
        (event.stream != USERS).then(|| event.stream.to_string())
    }

    fn apply(&self, case: &mut Case, _: &str, event: &Recorded<Payload>) -> Result<(), BoxError> {
        let time = cloud_event::time(event);
        if case.events == 0 {
            case.first_event_time.clone_from(&time);
        }
        case.events += 1;
        case.last_event_time = time;
        case.last_event_type = event.event_type.to_string();
        Ok(())
    }
}
