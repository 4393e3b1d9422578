//! `kill -9` of gateway, broker or shore at any moment: what was acknowledged is there afterwards, once.
//!
//! Real processes on loopback, a real mosquitto, a simulated vessel. Four clients write records on board and ashore
//! all the while and remember every acknowledgement; a subscriber listens; the status is read again and again. Who
//! dies when comes from a seed that is printed; HAWSER_KILL_SEED plays it again (the machine's own timing cannot be),
//! HAWSER_KILL_CYCLES sets how often. Answers of the shore go a slow way, so that kills fall between what was done
//! and what is known of it; HAWSER_KILL_SUBSCRIBER_DELAY_MS does the same to the subscriber. Readings that had not
//! reached the store when the gateway died were acknowledged by nobody; they are not looked for.

#[path = "kill/crew.rs"]
mod crew;
#[path = "kill/fleet.rs"]
mod fleet;
mod support;
#[path = "kill/verdict.rs"]
mod verdict;

use std::collections::BTreeSet;
use std::time::Instant;

use crew::{Attempt, Desk, Owner, Visitor};
use fleet::{Fleet, NAMES, Reported, drained, watch_status};
use hawser::clock::Clock;
use hawser::entropy::Entropy;
use hawser::sim::{self, Output, SimOptions};
use support::mqtt::{Gate, Subscriber};
use support::ship::Ship;
use support::slow::SlowWay;
use support::{PATIENCE, eventually};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Kills without HAWSER_KILL_CYCLES.
const CYCLES: u32 = 100;

/// Enough cycles that each kind of kill must have come.
const CYCLES_OF_EACH_KIND: u32 = 20;

/// Simulated devices beside the vessel, and readings a second of each.
const DEVICES: u32 = 20;
const DEVICE_MILLIHERTZ: u64 = 10_000;

/// The longest wait of a piece of the shore's answer: kills fall between the shore's commit and the gateway's knowing.
const SHORE_DELAY_MS_MAX: u64 = 300;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_once_after_kill_9_at_any_moment() {
    let cycles = variable("HAWSER_KILL_CYCLES").map_or(CYCLES, |n| u32::try_from(n).expect("a number of cycles"));
    let seed = variable("HAWSER_KILL_SEED").unwrap_or_else(|| Entropy::system().next_u64() >> 16);
    println!("HAWSER_KILL_SEED={seed}");
    let started = Instant::now();
    let ship = Ship::new();
    let sim = sim::serve(vessel(seed), Clock::system()).await.expect("the simulator serves");
    let to_shore = SlowWay::to(ship.shore_port, SHORE_DELAY_MS_MAX, seed).await;
    let slow_subscriber = match variable("HAWSER_KILL_SUBSCRIBER_DELAY_MS") {
        Some(delay_ms) => Some(SlowWay::to(ship.broker_port, delay_ms, seed).await),
        None => None,
    };
    let heard_at = slow_subscriber.as_ref().map_or(ship.broker_port, |way| way.port);
    let subscriber = Subscriber::start(heard_at, "vessel/sync/#");
    let gate = Gate::before(ship.broker_port, &subscriber).await;
    let bus = Ship::bus_section("bridge", sim.addresses()[0]);
    let more = format!("{bus}{}{}", Ship::broker_section(gate.port), ship.shore_section_by(to_shore.port));
    let mut fleet = Fleet::start(&ship, &more);
    let guard = Guard(ship.path().to_owned());

    let stop = CancellationToken::new();
    let crew = board(&ship, seed, &stop);
    let watch = tokio::spawn(watch_status(ship.client.clone(), ship.url("/api/status"), stop.clone()));
    fleet.suffer(cycles, &Entropy::seeded(seed), &subscriber).await;
    let suffered = started.elapsed();
    ship.gateway_answers().await;
    ship.shore_answers().await;
    stop.cancel();
    let reported: Reported = watch.await.unwrap_or_else(|error| panic!("{error}\n{}", fleet.said()));
    let [on_board, ashore] = crew.home(&fleet).await;
    let taken = sim.stop().await;
    drained(&ship).await;
    let mut acknowledged = verdict::acknowledged_ids(&on_board);
    acknowledged.extend(verdict::acknowledged_ids(&ashore));
    heard(&subscriber, &acknowledged).await;
    let (_, messages) = subscriber.change_ids();
    fleet.stop();
    let told = verdict::judge(&ship, &on_board, &ashore, reported);
    let kills: Vec<String> = NAMES.iter().zip(fleet.kills).map(|(name, count)| format!("{name} {count}")).collect();
    println!(
        "cycles {cycles} (kills: {}), seed {seed}: {} edits acknowledged, {} without an answer, {} conflicts, \
         {} readings of {taken} taken, {} lost, {} messages heard, {} status answers, {} databases whole; {:.0} s of \
         kills, {:.0} s in all",
        kills.join(", "),
        told.acknowledged,
        told.unknown,
        told.conflicts,
        told.readings,
        told.lost,
        messages,
        reported.answers,
        told.databases,
        suffered.as_secs_f64(),
        started.elapsed().as_secs_f64(),
    );
    assert_eq!(told.lost, 0, "nothing was pruned, so nothing may be lost");
    assert!(
        told.acknowledged > cycles as usize && told.readings > u64::from(cycles),
        "too little happened to say much"
    );
    assert!(
        cycles < CYCLES_OF_EACH_KIND || fleet.kills.iter().all(|count| *count > 0),
        "each kind of kill must happen"
    );
    guard.passed();
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}: `{text}` is not a number")))
}

fn vessel(seed: u64) -> SimOptions {
    let output = Output::TcpListen(([127, 0, 0, 1], 0).into());
    SimOptions { devices: DEVICES, device_millihertz: DEVICE_MILLIHERTZ, ..SimOptions::vessel(seed, output) }
}

/// Those who write, by side.
struct Crew {
    on_board: Vec<JoinHandle<Vec<Attempt>>>,
    ashore: Vec<JoinHandle<Vec<Attempt>>>,
}

fn board(ship: &Ship, seed: u64, stop: &CancellationToken) -> Crew {
    let desk = |records_url: String, dir: std::path::PathBuf| Desk {
        client: ship.client.clone(),
        records_url,
        token_file: dir.join("api_token"),
    };
    let on_board = |collection: &str| desk(ship.url(&format!("/api/records/{collection}")), ship.gateway_dir());
    let ashore = |collection: &str| desk(ship.shore_records(collection), ship.shore_dir());
    let owner = |name: &str, desk: Desk, n: u64| tokio::spawn(Owner::new(name, desk, seed + n).run(stop.clone()));
    let visitor = Visitor::new(ashore("work_orders"), seed + 4);
    Crew {
        on_board: vec![owner("mate", on_board("work_orders"), 1), owner("watch", on_board("alerts"), 2)],
        ashore: vec![owner("office", ashore("work_orders"), 3), tokio::spawn(visitor.run(stop.clone()))],
    }
}

impl Crew {
    async fn home(self, fleet: &Fleet) -> [Vec<Attempt>; 2] {
        let mut sides = [Vec::new(), Vec::new()];
        for (side, tasks) in sides.iter_mut().zip([self.on_board, self.ashore]) {
            for task in tasks {
                side.extend(task.await.unwrap_or_else(|error| panic!("{error}\n{}", fleet.said())));
            }
        }
        sides
    }
}

async fn heard(subscriber: &Subscriber, acknowledged: &BTreeSet<String>) {
    eventually("every acknowledged change was heard", async || {
        let (heard, _) = subscriber.change_ids();
        let unheard: Vec<_> = acknowledged.difference(&heard).collect();
        if unheard.is_empty() {
            Ok(())
        } else {
            Err(format!("{} of {}: {unheard:?}", unheard.len(), acknowledged.len()))
        }
    })
    .await;
}

/// Says where to look when the test ends badly. The directory itself goes; HAWSER_KILL_KEEP names one to copy it to.
struct Guard(std::path::PathBuf);

impl Guard {
    fn passed(self) {
        std::mem::forget(self);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Some(to) = std::env::var_os("HAWSER_KILL_KEEP") else { return };
        let copied = std::process::Command::new("cp").arg("-a").arg(&self.0).arg(&to).status();
        println!("{} was copied to {}: {copied:?} (patience was {PATIENCE:?})", self.0.display(), to.display());
    }
}
