//! A durable saga: books a hotel and then a flight, and cancels the hotel if there is no flight.

use std::time::Duration;

use highwater::saga::{Orchestrator, Saga, Step, StepContext, StepError, StepResult};
use highwater::sqlite::SqliteStore;
use highwater::{BoxError, SagaId};
use tokio_util::sync::CancellationToken;

/// What the saga is started with, and what its steps add to it.
#[derive(serde::Serialize, serde::Deserialize)]
struct Trip {
    city: String,
    hotel: Option<String>,
}

/// A step; what it depends on, such as a client of the hotel's, are its fields.
struct BookHotel;

impl Step<Trip> for BookHotel {
    const NAME: &'static str = "hotel";

    async fn run(&self, trip: &mut Trip, cx: &StepContext) -> StepResult {
        // A step may be run again: by this key the hotel tells that it has the booking already.
        println!("book a hotel in {} under {}", trip.city, cx.run_key());
        trip.hotel = Some("Bristol".to_owned());
        Ok(())
    }

    async fn compensate(&self, trip: &mut Trip, cx: &StepContext) -> StepResult {
        println!("cancel what was booked under {}, if anything was", cx.run_key());
        trip.hotel = None;
        Ok(())
    }
}

struct BookFlight;

impl Step<Trip> for BookFlight {
    const NAME: &'static str = "flight";

    async fn run(&self, trip: &mut Trip, cx: &StepContext) -> StepResult {
        if trip.city == "Atlantis" {
            return Err(StepError::abort("nobody flies there"));
        }
        println!("book a flight to {} under {}", trip.city, cx.run_key());
        Ok(())
    }

    async fn compensate(&self, _: &mut Trip, cx: &StepContext) -> StepResult {
        println!("cancel what was booked under {}, if anything was", cx.run_key());
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let store = SqliteStore::open("trips.db", Default::default()).await?;
    let sagas = Orchestrator::new(store);
    let second_thoughts = Duration::from_secs(5);
    let saga = Saga::new("book-trip")
        .step(BookHotel)
        .delay("second-thoughts", second_thoughts)
        .step(BookFlight);
    let trips = sagas.register(saga)?;

    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (sagas, stop) = (sagas.clone(), stop.clone());
        async move { sagas.run(stop).await }
    });

    for city in ["Oslo", "Atlantis"] {
        let id = SagaId::new(format!("trip-to-{city}"))?;
        let trip = Trip { city: city.to_owned(), hotel: None };
        // Starting the same saga again starts nothing, and finds the one that is there.
        trips.start(id.clone(), &trip).await?;
        let ended = sagas.wait(&id, Duration::from_secs(60)).await?;
        let why = ended.progress.error.unwrap_or_default();
        println!("{id}: {} {why}", ended.progress.state);
    }
    stop.cancel();
    running.await?;
    Ok(())
}
