//! The runbooks, executed: each fault is injected into a running gateway that a real Prometheus scrapes with
//! the shipped rules. The right code and fault must be told, the page's queries must point at the cause, the
//! named alert must fire, and what the page says mends it must clear it.
//!
//! The windows of the rules are shortened, so that an hour is a minute.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "the matrix is to be seen")]

mod asked;
mod expressions;
mod faults;
mod house;
mod matrix;
mod page;
mod scene;

use faults::{FAULTS, Fault};
use matrix::Matrix;
use scene::Scene;
use weir_tests::wait;

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_named_found_alerted_and_mended() {
    // Their futures are large, and a test's stack is not.
    let mut scene = Box::pin(Scene::start()).await;
    let mut drawn = scene.expressions();
    let everything = scene.house.traffic();
    Box::pin(house::ask_many(&scene.house.many)).await;
    // Most of it can be seen while all is well, and the rest once it is not.
    for _ in 0..20 {
        drawn.ask(&scene.prometheus).await;
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    println!(
        "{} of {} expressions wait for faults",
        drawn.left(),
        drawn.count()
    );
    Box::pin(scene.break_all()).await;
    let traffic = scene.traffic();
    for fault in FAULTS {
        Box::pin(scene.wait_for_failures(fault)).await;
    }
    for fault in FAULTS {
        if let Some((alert, label)) = fault.alert {
            Box::pin(scene.wait_for_alert(alert, label, fault.subject())).await;
        }
    }
    assert_eq!(Box::pin(scene.reload_fails()).await, "failed");
    Box::pin(scene.wait_for_alert("WeirConfigReloadFailed", "", "")).await;
    let matrix = Matrix::of(&scene.gateway.access_log());
    println!("{matrix}");
    matrix.assert_diagonal();
    let mut unanswered = Vec::new();
    for fault in FAULTS {
        unanswered.extend(Box::pin(page::unanswered(&scene.prometheus, fault)).await);
    }
    assert!(
        unanswered.is_empty(),
        "queries that find nothing:\n{}",
        unanswered.join("\n")
    );
    for _ in 0..60 {
        if drawn.ask(&scene.prometheus).await == 0 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    println!(
        "{} expressions, {} without an answer",
        drawn.count(),
        drawn.left()
    );
    assert!(drawn.left() == 0, "no answer to:\n{}", drawn.told());
    everything.abort();
    Box::pin(scene.mend_all()).await;
    // Clients that stop or leave are nobody's here to mend.
    for fault in FAULTS.iter().filter(|fault| fault.whose != "client") {
        Box::pin(scene.wait_for_success(fault)).await;
    }
    Box::pin(scene.wait_for_silence()).await;
    traffic.abort();
}

impl Scene {
    /// Waits until a route has failed as it should, a few times.
    async fn wait_for_failures(&self, fault: &Fault) {
        let what = format!("{} on {}", fault.code, fault.name);
        wait::until(what, || async {
            let lines = self.gateway.access_log();
            let failed = lines.iter().filter(|line| {
                line["weir.route"] == fault.name && line["error.type"] == fault.code
            });
            (failed.count() >= fault.enough()).then_some(())
        })
        .await;
    }

    /// Waits until a route that was broken answers.
    async fn wait_for_success(&self, fault: &Fault) {
        let before = self.gateway.access_log().len();
        wait::until(format!("{} to be well", fault.name), || async {
            let lines = self.gateway.access_log();
            let since = lines.iter().skip(before);
            let well = since.filter(|line| {
                line["weir.route"] == fault.name && line["http.response.status_code"] == 200
            });
            (well.count() >= 3).then_some(())
        })
        .await;
    }

    /// Waits until an alert fires for what is at fault.
    async fn wait_for_alert(&self, alert: &str, label: &str, subject: &str) {
        let matcher = match label {
            "" => String::new(),
            label => format!(", {label}=\"{subject}\""),
        };
        let fires = format!("ALERTS{{alertname=\"{alert}\", alertstate=\"firing\"{matcher}}}");
        self.prometheus.wait_for(&fires, |value| value == 1.0).await;
    }

    /// Waits until nothing fires any more but what clients do themselves, who are slow still.
    async fn wait_for_silence(&self) {
        let firing = "ALERTS{alertstate=\"firing\", weir_route!=\"slow-client\"}";
        for _ in 0..240 {
            if self.prometheus.series(firing).await.is_empty() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        panic!(
            "what still fires: {:#?}",
            self.prometheus.series(firing).await
        );
    }
}
