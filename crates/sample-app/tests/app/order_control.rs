//! Orders are cancelled, paused and resumed, wherever they are.

use crate::support::{
    App, Database, ask, get, on_both_databases, order, start, status, types, wait_for_state,
    wait_for_step,
};

const STEPS: [&str; 3] = ["reserve-inventory", "authorize-payment", "ship-order"];

/// Long enough to get a word in while a step is under way.
const SLOW: [&str; 2] = ["--step-delay", "400"];

/// Asserts that what was done was undone, and nothing was done that the saga did not come to.
fn assert_nothing_is_left(app: &App, order: &str, steps_begun: usize) {
    let services = [
        ("inventory", "InventoryReserved", "InventoryReleased"),
        ("payment", "PaymentAuthorized", "PaymentVoided"),
        ("shipment", "OrderShipped", "ShipmentRecalled"),
    ];
    for (at, (category, made, undone)) in services.into_iter().enumerate() {
        let done = types(app, &format!("{category}-{order}"));
        let expected: &[&str] = if at < steps_begun { &[made, undone] } else { &[] };
        assert_eq!(done, expected, "{category} of {order}");
    }
}

on_both_databases! {
    fn cancelled_in_the_middle_of_a_step_that_step_too_is_undone(database: &Database) {
        let app = App::start_with(database, &SLOW);
        for (at, step) in STEPS.into_iter().enumerate() {
            let id = format!("order-{at}");
            let saga = start(&app, &order(&id, false));
            wait_for_step(&app, &saga, step);
            assert_eq!(ask(&app, &saga, "cancel", 202)["request"], "cancel");
            let ended = wait_for_state(&app, &saga, "Compensated");
            assert_eq!(ended["errorMessage"], "cancelled");
            assert_nothing_is_left(&app, &id, at + 1);
            ask(&app, &saga, "cancel", 409);
        }
    }

    fn cancelled_between_two_steps_the_next_is_never_begun(database: &Database) {
        let app = App::start_with(database, &SLOW);
        for (at, steps) in STEPS.windows(2).enumerate() {
            let id = format!("order-{at}");
            let saga = start(&app, &order(&id, false));
            wait_for_step(&app, &saga, steps[0]);
            ask(&app, &saga, "pause", 202);
            assert_eq!(wait_for_state(&app, &saga, "Paused")["currentStep"], steps[1]);
            ask(&app, &saga, "cancel", 202);
            wait_for_state(&app, &saga, "Compensated");
            assert_nothing_is_left(&app, &id, at + 1);
        }
    }

    fn a_pause_outlives_a_crash_and_a_resume_goes_on_where_it_was(database: &Database) {
        let mut app = App::start_with(database, &SLOW);
        let saga = start(&app, &order("order-1", false));
        wait_for_step(&app, &saga, STEPS[1]);
        ask(&app, &saga, "pause", 202);
        ask(&app, &saga, "pause", 202);
        let paused = wait_for_state(&app, &saga, "Paused");
        assert_eq!((&paused["progress"], &paused["currentStep"]), (&"2/3".into(), &STEPS[2].into()));
        ask(&app, &saga, "pause", 409);
        app.kill();

        let app = App::start(database);
        let unrelated = start(&app, &order("order-2", false));
        wait_for_state(&app, &unrelated, "Completed");
        assert_eq!(status(&app, &saga), paused, "others run, it rests");
        assert!(types(&app, "shipment-order-1").is_empty());
        ask(&app, &saga, "resume", 202);
        let ended = wait_for_state(&app, &saga, "Completed");
        assert_eq!(ended["completedSteps"][0], paused["completedSteps"][0]);
        for category in ["inventory", "payment", "shipment"] {
            assert_eq!(types(&app, &format!("{category}-order-1")).len(), 1, "{category}");
        }
        ask(&app, &saga, "resume", 409);
    }

    fn asked_to_stop_it_ends_the_step_and_another_instance_goes_on_at_once(database: &Database) {
        // With a lease this long nobody could take over from one that died.
        let options = ["--step-delay", "400", "--lease", "3600"];
        let app = App::start_with(database, &options);
        let saga = start(&app, &order("order-1", false));
        wait_for_step(&app, &saga, STEPS[1]);
        assert_eq!(app.stop("TERM").code(), Some(0));
        let app = App::start_with(database, &options);
        let ended = wait_for_state(&app, &saga, "Completed");
        for step in ended["completedSteps"].as_array().unwrap() {
            assert_eq!((&step["attempts"], &step["isInDoubt"]), (&1.into(), &false.into()));
        }
    }
}

#[test]
fn a_compensation_that_keeps_failing_waits_for_a_human_who_repairs_and_retries() {
    let database = Database::postgres();
    let app = App::start(&database);
    // The inventory takes nothing back.
    database.run(
        "create function refuse() returns trigger language plpgsql as
             $$ begin raise exception 'the warehouse is closed'; end $$;
         create trigger refuse before insert on highwater.events for each row
             when (new.event_type = 'InventoryReleased') execute function refuse()",
    );
    let saga = start(&app, &order("order-1", true));
    let failed = wait_for_state(&app, &saga, "Failed");
    assert_eq!(failed["currentStep"], STEPS[0]);
    assert_eq!(failed["completedSteps"][0]["outcome"], "Stuck");
    assert!(failed["errorMessage"].as_str().unwrap().contains("compensation of step"), "{failed}");
    for refused in ["pause", "resume", "cancel"] {
        ask(&app, &saga, refused, 409);
    }
    let health = get(app.address, "/health").expect(200);
    assert_eq!(health["sagas"]["failed"], 1, "{health}");
    let unharmed = start(&app, &order("order-2", false));
    wait_for_state(&app, &unharmed, "Completed");
    assert_eq!(types(&app, "inventory-order-1"), ["InventoryReserved"]);

    database.run("drop trigger refuse on highwater.events");
    assert_eq!(ask(&app, &saga, "retry", 202)["request"], "retry");
    let ended = wait_for_state(&app, &saga, "Compensated");
    assert_eq!(ended["completedSteps"][0]["outcome"], "Compensated");
    assert_eq!(types(&app, "inventory-order-1"), ["InventoryReserved", "InventoryReleased"]);
    ask(&app, &saga, "retry", 409);
}
