//! The event that is measured: an order of about 315 bytes of JSON.

use highwater::{BoxError, Event, EventType};
use serde::{Deserialize, Serialize};

/// How many customers there are, and so how many documents the view keeps.
pub(crate) const CUSTOMERS: u64 = 20_000;

/// The type of every event.
pub(crate) const PLACED: EventType = EventType::from_static("Placed");

/// What happens to an order.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub(crate) enum OrderEvent {
    /// A customer has placed it.
    Placed(Order),
}

impl Event for OrderEvent {}

/// An order.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    order_id: String,
    pub(crate) customer: String,
    email: String,
    product: String,
    quantity: u32,
    pub(crate) cents: i64,
    currency: String,
    street: String,
    city: String,
    note: String,
}

impl Order {
    /// The `n`th order; neighbours come from customers far apart.
    pub(crate) fn new(n: u64) -> Self {
        let customer = n.wrapping_mul(7_919) % CUSTOMERS;
        Self {
            order_id: format!("order-{n:012}"),
            customer: format!("customer-{customer:05}"),
            email: format!("customer-{customer:05}@example.com"),
            product: format!("product-{:04}", n % 1_000),
            quantity: 1 + (n % 5) as u32,
            cents: 100 + (n % 9_900).cast_signed(),
            currency: "EUR".to_owned(),
            street: format!("{} Station Road", n % 200),
            city: "Highwater".to_owned(),
            note: "please leave it with the neighbours on the left if nobody opens the door within two minutes".to_owned(),
        }
    }

    /// As JSON, what the payload of its event is.
    pub(crate) fn json(&self) -> Result<String, BoxError> {
        Ok(serde_json::to_string(self)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_has_about_315_bytes() {
        let bytes = Order::new(123_456).json().unwrap().len();
        assert!((305..325).contains(&bytes), "{bytes}");
    }
}
