//! What the health service says: of the ledger as a whole, which is read whatever happens, and of writes, which a clock that
//! can't be believed stops.

use std::time::Duration;

use tonic_health::{ServingStatus as Told, server::HealthReporter};

use super::{Service, ledger_service_server::LedgerServiceServer};

/// The name under which it is asked whether sheets are recorded. Whoever balances load asks for the service itself: readers are
/// answered all the time.
const WRITES: &str = "timebank.v1.LedgerService.Writes";
/// Between two looks at the clock: as soon is told what nobody who submits has noticed.
const LOOK: Duration = Duration::from_millis(if cfg!(debug_assertions) { 20 } else { 1_000 });

/// Begins to serve. `writes`: whether sheets are recorded now. The future that comes back tells of changes for as long as it is run.
pub(super) async fn begin(health: HealthReporter, writes: impl Fn() -> bool + Send) -> impl Future<Output = ()> + Send {
    let status = move || if writes() { Told::Serving } else { Told::NotServing };
    let mut told = status();
    health.set_serving::<LedgerServiceServer<Service>>().await;
    health.set_service_status(WRITES, told).await;
    async move {
        loop {
            tokio::time::sleep(LOOK).await;
            let now = status();
            // Whoever watches hears each time.
            if now != told {
                health.set_service_status(WRITES, now).await;
                told = now;
            }
        }
    }
}

/// Nothing is taken in any more.
pub(super) async fn end(health: &HealthReporter) {
    health.set_not_serving::<LedgerServiceServer<Service>>().await;
    health.set_service_status(WRITES, Told::NotServing).await;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use tonic::Request;
    use tonic_health::{
        pb::{HealthCheckRequest, health_check_response, health_server::Health},
        server::HealthService,
    };

    use super::*;

    type Answered = health_check_response::ServingStatus;

    /// Waits until both names are told so.
    async fn check(health: &HealthService, ledger: Answered, writes: Answered) {
        for (service, expected) in [("timebank.v1.LedgerService", ledger), (WRITES, writes)] {
            for attempt in 0.. {
                let request = Request::new(HealthCheckRequest { service: service.to_owned() });
                let told = health.check(request).await.unwrap().into_inner().status();
                if told == expected {
                    break;
                }
                assert!(attempt < 500, "{service} is told as {told:?}, not {expected:?}");
                tokio::time::sleep(LOOK).await;
            }
        }
    }

    #[tokio::test]
    async fn a_clock_that_is_not_believed_stops_writes_and_no_reads() {
        let reporter = HealthReporter::new();
        let health = HealthService::from_health_reporter(reporter.clone());
        let believed = Arc::new(AtomicBool::new(true));
        let asked = Arc::clone(&believed);
        let watching = begin(reporter.clone(), move || asked.load(Ordering::Relaxed)).await;
        let watching = tokio::spawn(watching);
        check(&health, Answered::Serving, Answered::Serving).await;
        believed.store(false, Ordering::Relaxed);
        check(&health, Answered::Serving, Answered::NotServing).await;
        believed.store(true, Ordering::Relaxed);
        check(&health, Answered::Serving, Answered::Serving).await;
        watching.abort();
        end(&reporter).await;
        check(&health, Answered::NotServing, Answered::NotServing).await;
    }
}
