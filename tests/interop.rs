//! Real clients, unchanged, against the real broker: see `interop/README.md`. The expectations all stand here, and
//! `docs/kafka-clients.md` is what comes out.

#![cfg(test)]

#[path = "interop/driver/adapter.rs"]
mod adapter;
#[path = "interop/driver/clients.rs"]
mod clients;
#[path = "interop/driver/group.rs"]
mod group;
#[path = "interop/driver/observer.rs"]
mod observer;
#[path = "interop/driver/page.rs"]
mod page;
#[path = "interop/driver/records.rs"]
mod records;
#[path = "interop/driver/report.rs"]
mod report;
#[path = "interop/driver/scenario.rs"]
mod scenario;

use anyhow::{Context as _, Result, ensure};
use cairn_tests::scene::{Scene, stop_cleanly};
use observer::Observer;
use report::Report;
use scenario::{SHARED, SHARED_NULL_HEADERS, Scenario, Written};
use std::{
    path::Path,
    sync::{Mutex, PoisonError},
    time::Instant,
};

/// Clients at work at a time, in the part that is mostly work, and in the part that is mostly waiting.
const WORKING_MAX: usize = 3;
const WAITING_MAX: usize = 5;
/// Set, it makes the test write the page instead of comparing it.
const WRITE_PAGE: &str = "INTEROP_WRITE_PAGE";

/// Gives each item to `work`, some at a time.
fn side_by_side<T: Send, R: Send>(items: Vec<T>, at_a_time: usize, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let count = items.len();
    let queue = Mutex::new(items.into_iter().enumerate());
    let results = Mutex::new((0..count).map(|_| None).collect::<Vec<_>>());
    std::thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                loop {
                    let Some((index, item)) = queue.lock().unwrap_or_else(PoisonError::into_inner).next()
                    else {
                        break;
                    };
                    let result = work(item);
                    results.lock().unwrap_or_else(PoisonError::into_inner)[index] = Some(result);
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten().collect()
}

#[test]
fn every_client_works_unchanged() -> Result<()> {
    let begun = Instant::now();
    let (clients, all) = clients::clients()?;
    let scene = Scene::new(env!("CARGO_BIN_EXE_test-cairn-broker"), env!("CARGO_BIN_EXE_test-cairn"))?;
    let broker =
        scene.small_broker().argument("--group-initial-rebalance-delay-ms").argument("500").start()?;
    let reports = work(&clients, broker.kafka_address(), begun)?;
    stop_cleanly(broker)?;
    scene.verify_clean()?;

    let page = page::page(&reports);
    println!("{page}\n{} clients in {:.0?}", reports.len(), begun.elapsed());
    let failures: Vec<String> = reports.iter().flat_map(Report::failures).collect();
    ensure!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    if all { compare(&page) } else { Ok(()) }
}

fn work(clients: &[adapter::Adapter], bootstrap: &str, begun: Instant) -> Result<Vec<Report>> {
    let count = clients.len();
    let mut observer = Observer::connect(bootstrap)?;
    for topic in [SHARED, SHARED_NULL_HEADERS] {
        observer.create_topic(topic, i32::try_from(count)?)?;
    }
    let begin = |(index, adapter)| alone(Scenario::new(adapter, bootstrap, index, count)?, begun);
    let indexed: Vec<_> = clients.iter().enumerate().collect();
    let begun_ones: Result<Vec<_>> = side_by_side(indexed, WORKING_MAX, begin).into_iter().collect();
    let (scenarios, written): (Vec<Scenario<'_>>, Vec<Written>) = begun_ones?.into_iter().unzip();
    let written: Written = written.into_iter().flatten().collect();
    let writers: Vec<&str> = clients.iter().map(|client| client.about.client.as_str()).collect();
    let together = |mut scenario: Scenario<'_>| {
        scenario.together(&written, &writers);
        println!("{} together: {:.0?}", scenario.report.about.client, begun.elapsed());
        scenario.report
    };
    Ok(side_by_side(scenarios, WAITING_MAX, together))
}

fn alone(mut scenario: Scenario<'_>, begun: Instant) -> Result<(Scenario<'_>, Written)> {
    let written = scenario.alone();
    println!("{} alone: {:.0?}", scenario.report.about.client, begun.elapsed());
    Ok((scenario, written))
}

fn compare(page: &str) -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/kafka-clients.md");
    if std::env::var_os(WRITE_PAGE).is_some() {
        return std::fs::write(&path, page).context("writing the page");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    ensure!(
        committed == page,
        "docs/kafka-clients.md is not what came out; {WRITE_PAGE}=1 with the same command writes it anew"
    );
    Ok(())
}
