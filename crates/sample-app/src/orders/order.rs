//! Orders, and what makes one that can be fulfilled.

use highwater::{CorrelationId, Payload};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::amount::Amount;

/// So that a stream can be named after an order.
const ID_BYTES_MAX: usize = 200;

const NAME_BYTES_MAX: usize = 500;

const ITEMS_MAX: usize = 500;

const QUANTITY_MAX: i64 = 1_000_000;

const ADDRESS_BYTES_MAX: usize = 4_000;

/// An order and what has become of it: the state of its saga.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Order {
    pub(super) order_id: String,
    pub(super) items: Vec<Item>,
    pub(super) amount: Amount,
    /// Text, or an object of any shape.
    pub(super) shipping_address: Payload,
    #[serde(default)]
    pub(super) simulate_payment_failure: bool,
    #[serde(default)]
    pub(super) reservation: Option<Uuid>,
    #[serde(default)]
    pub(super) authorization: Option<Uuid>,
    #[serde(default)]
    pub(super) shipment: Option<Uuid>,
}

/// So many of one product, at a price for each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Item {
    pub(super) product_id: String,
    #[serde(default)]
    pub(super) product_name: String,
    pub(super) quantity: i64,
    pub(super) price: Amount,
}

/// What is wrong with an order.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {reason}")]
pub(super) struct Flaw {
    pub(super) field: String,
    reason: String,
}

impl Order {
    /// The order alone, as it is before anything has become of it.
    pub(super) fn fresh(self) -> Self {
        Self { reservation: None, authorization: None, shipment: None, ..self }
    }

    /// Whether both ask for the same, however the amounts and the address are written.
    pub(super) fn asks_the_same(&self, other: &Self) -> bool {
        self.order_id == other.order_id
            && self.items == other.items
            && self.amount == other.amount
            && self.shipping_address.same_value(&other.shipping_address)
            && self.simulate_payment_failure == other.simulate_payment_failure
    }

    /// The first thing that is wrong with it.
    pub(super) fn check(&self) -> Result<(), Flaw> {
        let id = &self.order_id;
        flaw("orderId", id.trim().is_empty(), "is empty")?;
        flaw("orderId", id.len() > ID_BYTES_MAX, "is longer than 200 bytes")?;
        if let Err(error) = CorrelationId::new(id) {
            return Err(Flaw { field: "orderId".to_owned(), reason: error.reason.to_owned() });
        }
        flaw("items", self.items.is_empty(), "are none")?;
        flaw("items", self.items.len() > ITEMS_MAX, "are more than 500")?;
        for (at, item) in self.items.iter().enumerate() {
            item.check().map_err(|Flaw { field, reason }| Flaw {
                field: format!("items[{at}].{field}"),
                reason,
            })?;
        }
        flaw("amount", self.amount.value().is_sign_negative(), "is negative")?;
        let sum = self.items.iter().map(Item::cost).sum::<Decimal>().normalize();
        if self.amount.value() != sum {
            let reason = format!("is {}, but the items cost {sum}", self.amount);
            return Err(Flaw { field: "amount".to_owned(), reason });
        }
        check_address(self.shipping_address.as_str())
    }
}

impl Item {
    fn cost(&self) -> Decimal {
        self.price.value() * Decimal::from(self.quantity)
    }

    fn check(&self) -> Result<(), Flaw> {
        let has_controls = |text: &str| text.contains(char::is_control);
        flaw("productId", self.product_id.trim().is_empty(), "is empty")?;
        flaw("productId", self.product_id.len() > ID_BYTES_MAX, "is longer than 200 bytes")?;
        flaw("productId", has_controls(&self.product_id), "has a control character")?;
        flaw("productName", self.product_name.len() > NAME_BYTES_MAX, "is longer than 500 bytes")?;
        flaw("productName", has_controls(&self.product_name), "has a control character")?;
        flaw("quantity", self.quantity < 1, "is less than 1")?;
        flaw("quantity", self.quantity > QUANTITY_MAX, "is more than 1000000")?;
        flaw("price", self.price.value().is_sign_negative(), "is negative")
    }
}

fn check_address(json: &str) -> Result<(), Flaw> {
    let field = "shippingAddress";
    flaw(field, json.len() > ADDRESS_BYTES_MAX, "is longer than 4000 bytes")?;
    if json.starts_with('"') {
        let text: String = serde_json::from_str(json).unwrap_or_default();
        return flaw(field, text.trim().is_empty(), "is empty");
    }
    match serde_json::from_str::<Map<String, Value>>(json) {
        Ok(parts) => flaw(field, parts.is_empty(), "is empty"),
        Err(_) => flaw(field, true, "is neither text nor an object"),
    }
}

fn flaw(field: &str, is_there: bool, reason: &str) -> Result<(), Flaw> {
    match is_there {
        true => Err(Flaw { field: field.to_owned(), reason: reason.to_owned() }),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn order(change: impl FnOnce(&mut Value)) -> Order {
        let mut order = json!({
            "orderId": "order-1",
            "items": [
                {"productId": "p-1", "productName": "Pen", "quantity": 3, "price": 19.99},
                {"productId": "p-2", "quantity": 1, "price": "0.03"},
            ],
            "amount": "60.00",
            "shippingAddress": "1 Main Street",
        });
        change(&mut order);
        serde_json::from_str(&order.to_string()).unwrap()
    }

    fn field(change: impl FnOnce(&mut Value)) -> Option<String> {
        order(change).check().err().map(|flaw| flaw.field)
    }

    #[test]
    fn an_order_whose_amount_is_the_sum_can_be_fulfilled() {
        assert_eq!(field(|_| {}), None);
        assert_eq!(field(|it| it["amount"] = json!("6e1")), None);
        assert_eq!(field(|it| it["shippingAddress"] = json!({"street": "Main"})), None);
        let gift = json!([{"productId": "p", "quantity": 1, "price": 0}]);
        let is_free = |it: &mut Value| {
            it["items"] = gift;
            it["amount"] = json!(0);
        };
        assert_eq!(field(is_free), None);
    }

    #[test]
    fn what_is_wrong_with_an_order_is_said_of_the_field() {
        let long = "x".repeat(5_000);
        for (pointer, value, expected) in [
            ("/orderId", json!(""), "orderId"),
            ("/orderId", json!(" order"), "orderId"),
            ("/orderId", json!("a\u{0}b"), "orderId"),
            ("/orderId", json!(long), "orderId"),
            ("/items", json!([]), "items"),
            (
                "/items",
                json!(vec![json!({"productId": "p", "quantity": 1, "price": 0}); 501]),
                "items",
            ),
            ("/items/1/productId", json!("  "), "items[1].productId"),
            ("/items/0/productId", json!(long), "items[0].productId"),
            ("/items/0/productName", json!("a\nb"), "items[0].productName"),
            ("/items/0/quantity", json!(0), "items[0].quantity"),
            ("/items/0/quantity", json!(-3), "items[0].quantity"),
            ("/items/0/quantity", json!(1_000_001), "items[0].quantity"),
            ("/items/0/price", json!(-19.99), "items[0].price"),
            ("/amount", json!(-60), "amount"),
            ("/amount", json!("60.00000001"), "amount"),
            ("/amount", json!(59.99), "amount"),
            ("/shippingAddress", json!(" "), "shippingAddress"),
            ("/shippingAddress", json!({}), "shippingAddress"),
            ("/shippingAddress", json!(["Main Street"]), "shippingAddress"),
            ("/shippingAddress", json!(long), "shippingAddress"),
        ] {
            let change = |it: &mut Value| *it.pointer_mut(pointer).unwrap() = value;
            assert_eq!(field(change).as_deref(), Some(expected), "{pointer}");
        }
    }

    #[test]
    fn the_same_order_written_otherwise_asks_the_same() {
        let one = order(|_| {});
        assert!(one.asks_the_same(&order(|it| it["amount"] = json!(60))));
        assert!(!one.asks_the_same(&order(|it| it["simulatePaymentFailure"] = json!(true))));
        assert!(!one.asks_the_same(&order(|it| it["items"][0]["quantity"] = json!(2))));
    }
}
