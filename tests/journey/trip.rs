//! From the wire to the shore's database in one process: all readings, each once, as they were told, and a work order.

use hawser::clock::Clock;
use hawser::entropy::Entropy;
use hawser::record::{ChangeType, Collection};
use hawser::store::records::Edit;
use hawser::{gateway, shore};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::ship::Ship;
use crate::support::stores::{Records, check_integrity, readings_on_board};
use crate::{readings_come, vessel};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_instruments_tell_is_in_the_shores_database_once() {
    let ship = Ship::new();
    let (sim, bus) = vessel().await;
    let more = format!("{}{}", Ship::bus_section("bridge", bus), ship.shore_section());
    let (on_board, ashore) = ship.load(&ship.write_gateway(&more), &ship.write_shore("last_write_wins"));
    let (stop, clock, entropy) = (CancellationToken::new(), Clock::system(), Entropy::system());
    let shore = shore::start(&ashore, clock.clone(), entropy.clone(), stop.clone()).await.expect("the shore starts");
    let gateway = gateway::start(&on_board, clock, entropy).await.expect("the gateway starts");
    let edit = Edit {
        collection: Collection::WorkOrders,
        entity_id: Uuid::from_u128(7),
        kind: ChangeType::Created,
        fields: json!({"title": "Grease the winch", "a_field_of_tomorrow": {"kept": [1, 2.5, null]}})
            .as_object()
            .cloned()
            .expect("an object"),
        actor: "bosun".to_owned(),
        base_version: None,
    };
    let saved = gateway.store().edit(edit).await.expect("the edit is taken");
    readings_come(&ship).await;
    let taken = sim.stop().await;
    let report = gateway.stop(true).await;
    stop.cancel();
    shore.stopped().await;

    assert!(report.drained, "the shore has everything");
    assert_eq!((report.rejected, report.readings_rejected, report.writer.lost), (0, 0, 0));
    let (board, shore) =
        (readings_on_board(&ship.gateway_dir()), Records::open(&ship.shore_dir()).expect("the shore's database"));
    assert_eq!(board.len() as u64, taken, "every reading that was taken is stored");
    assert_eq!(board, shore.readings_ashore());
    let log = shore.log();
    assert_eq!(log.len(), 1);
    assert_eq!((log[0].change_id, log[0].actor.as_str()), (saved.change.change_id, "bosun"));
    let at_home = Records::open(&ship.gateway_dir()).expect("the gateway's database");
    assert_eq!(at_home.records(), shore.records());
    assert!(check_integrity(ship.path()) >= 3);
}
