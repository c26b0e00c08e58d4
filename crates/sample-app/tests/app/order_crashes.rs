//! Orders on three instances of one PostgreSQL, which are killed and frozen while they work.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::Value;

use crate::support::{
    App, Database, START, effects, events, get, order, start, try_send, types, wait_for,
    wait_for_state, wait_for_step,
};

const ORDERS: usize = 400;

const OPTIONS: [&str; 4] = ["--lease", "2", "--step-delay", "60"];

type Instances = [Mutex<App>; 3];

fn id(number: usize) -> String {
    format!("order-{number}")
}

/// The payment of every third order fails.
fn is_unpayable(number: usize) -> bool {
    number.is_multiple_of(3)
}

/// Starts the next order on whichever instance answers, again and again, until there is none.
fn place_orders(instances: &Instances, next: &AtomicUsize) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= ORDERS {
            return;
        }
        let order = order(&id(number), is_unpayable(number)).to_string();
        wait_for("an instance that takes the order", || {
            // One that is being killed or frozen is held by whoever does it.
            let address = instances[number % 3].try_lock().ok()?.address;
            let answer = try_send(address, "POST", START, Some(&order)).ok()?;
            (answer.status == 202).then_some(())
        });
    }
}

/// How many sagas have ended, as this instance sees it.
fn ended(app: &App) -> usize {
    ["Completed", "Compensated"].map(|state| count(app, state)).iter().sum()
}

fn count(app: &App, state: &str) -> usize {
    let page = get(app.address, &format!("/api/sagas?state={state}&limit=1000")).expect(200);
    page["sagas"].as_array().unwrap().len()
}

/// Kills one instance after the other in the middle of its work, and starts it again.
fn kill_in_turn(instances: &Instances, database: &Database) -> usize {
    let mut kills = 0;
    for instance in instances.iter().cycle() {
        let mut app = instance.lock().unwrap();
        let before = ended(&app);
        if before >= ORDERS * 9 / 10 {
            return kills;
        }
        // Some sagas end between one kill and the next, so that each hits others.
        drop(app);
        wait_for("progress", || {
            let app = instance.lock().unwrap();
            (ended(&app) >= before + ORDERS / 20).then_some(())
        });
        app = instance.lock().unwrap();
        app.kill();
        *app = App::start_with(database, &OPTIONS);
        kills += 1;
    }
    kills
}

/// What the services have done for an order, none of it twice.
fn assert_effects(done: &BTreeMap<String, Vec<String>>, number: usize, saga: &Value) {
    let saga = saga["sagaId"].as_str().unwrap();
    let of = |step: &str| {
        let types = done.get(&format!("{saga}/{step}/run")).map(Vec::as_slice);
        types.unwrap_or_default().iter().map(String::as_str).collect::<Vec<_>>()
    };
    let (inventory, payment) = (of("reserve-inventory"), of("authorize-payment"));
    if is_unpayable(number) {
        assert_eq!(inventory, ["InventoryReserved", "InventoryReleased"], "{saga}");
        // One whose worker died while it asked for the payment makes sure that there is none.
        assert!(payment.is_empty() || payment == ["AuthorizationCancelled"], "{payment:?}");
        assert!(of("ship-order").is_empty(), "{saga}");
    } else {
        assert_eq!(inventory, ["InventoryReserved"], "{saga}");
        assert_eq!(payment, ["PaymentAuthorized"], "{saga}");
        assert_eq!(of("ship-order"), ["OrderShipped"], "{saga}");
    }
}

/// Asserts that every order has ended as it must, and what was done for it is exactly that.
fn assert_all_is_exact(app: &App) {
    let mut done = BTreeMap::new();
    for category in ["inventory", "payment", "shipment"] {
        done.extend(effects(app, category));
    }
    for number in 0..ORDERS {
        let page = get(app.address, &format!("/api/sagas?correlationId={}", id(number)));
        let page = page.expect(200);
        let [saga] = &page["sagas"].as_array().unwrap()[..] else { panic!("not one: {page}") };
        let state = if is_unpayable(number) { "Compensated" } else { "Completed" };
        assert_eq!(saga["state"], state, "{saga}");
        assert_effects(&done, number, saga);
    }
    assert_eq!(count(app, "Completed") + count(app, "Compensated"), ORDERS);
}

/// Asserts that no transition of a saga was recorded twice: each told of itself once.
fn assert_told_once(app: &App, saga: &str) {
    let told = types(app, &format!("saga-order-fulfillment-{saga}"));
    let count = |kind: &str| told.iter().filter(|told| *told == kind).count();
    assert_eq!((count("SagaStarted"), count("StepCompleted")), (1, 3), "{told:?}");
}

#[test]
fn whichever_instances_are_killed_every_order_ends_and_nothing_is_done_twice() {
    let database = Database::postgres();
    let instances: Instances = [(); 3].map(|()| Mutex::new(App::start_with(&database, &OPTIONS)));
    let next = AtomicUsize::new(0);
    let kills = std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| place_orders(&instances, &next));
        }
        kill_in_turn(&instances, &database)
    });
    let last_kill = Instant::now();
    let app = instances[0].lock().unwrap();
    wait_for("the end of every saga", || (ended(&app) == ORDERS).then_some(()));
    println!("{kills} kills; all ended {:?} after the last", last_kill.elapsed());
    assert!(kills >= 5, "only {kills} kills");
    assert_all_is_exact(&app);
}

#[test]
fn one_that_was_frozen_past_its_lease_changes_nothing_when_it_wakes() {
    let database = Database::postgres();
    let options = ["--lease", "1", "--step-delay", "600"];
    let frozen = App::start_with(&database, &options);
    let sagas: Vec<_> = (0..30).map(|n| start(&frozen, &order(&id(n), false))).collect();
    wait_for_step(&frozen, &sagas[29], "authorize-payment");
    frozen.signal("STOP");
    let other = App::start_with(&database, &options);
    for saga in &sagas {
        wait_for_state(&other, saga, "Completed");
    }
    let log = events(&other, "$all").len();
    frozen.signal("CONT");
    // Longer than any step that it was in the middle of.
    let later = start(&frozen, &order("later", false));
    wait_for_state(&frozen, &later, "Completed");
    let of_later = 3 + types(&other, &format!("saga-order-fulfillment-{later}")).len();
    assert_eq!(events(&other, "$all").len(), log + of_later, "only the later order told of itself");
    for (n, saga) in sagas.iter().enumerate() {
        assert_told_once(&other, saga);
        for (category, made) in [
            ("inventory", "InventoryReserved"),
            ("payment", "PaymentAuthorized"),
            ("shipment", "OrderShipped"),
        ] {
            assert_eq!(types(&other, &format!("{category}-{}", id(n))), [made]);
        }
    }
}
