//! The event that is delivered: an order, and when it was sent.

use std::time::{SystemTime, UNIX_EPOCH};

use highwater::{Event, EventType, StreamName};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::order::Order;

/// The stream that everybody follows.
pub(crate) const STREAM: StreamName = StreamName::from_static("orders");

/// The type of every event.
pub(crate) const SENT: EventType = EventType::from_static("Sent");

/// What happens.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub(crate) enum LiveEvent {
    /// An order is sent round.
    Sent(SentOrder),
}

impl Event for LiveEvent {}

/// An order with the time at which it was sent, in nanoseconds since 1970.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SentOrder {
    sent_at: u64,
    order: Order,
}

impl SentOrder {
    /// The `n`th order, sent now.
    pub(crate) fn now(n: u64) -> Result<Self> {
        Ok(Self { sent_at: nanoseconds()?, order: Order::new(n) })
    }
}

/// Microseconds since the event was sent that is in a record, without reading all of it.
pub(crate) fn age_us(record: &str) -> Result<u64> {
    const FIELD: &str = "\"sent_at\":";
    let start = record.find(FIELD).ok_or("an event without its time")? + FIELD.len();
    let digits = record[start..].split(|c: char| !c.is_ascii_digit()).next().unwrap_or("");
    Ok(nanoseconds()?.saturating_sub(digits.parse()?) / 1_000)
}

fn nanoseconds() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos().try_into()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_age_of_an_event_is_found_in_its_record() {
        let json = serde_json::to_string(&SentOrder::now(7).unwrap()).unwrap();
        assert!(age_us(&format!("[\"orders\",{json}]")).unwrap() < 60_000_000);
        assert!(age_us("{}").is_err());
    }
}
