//! What is asked: each scene a few requests that belong together, in every version that Cairn serves. Scenes have topics
//! and groups of their own, and do not depend on each other.

mod batches;
mod cluster;
mod commits;
mod consuming;
mod coordinators;
mod epochs;
mod groups;
mod member;
mod members;
mod offsets;
mod producers;
mod producing;
mod sessions;
mod topics;
mod versions;

use crate::side::Side;
use anyhow::Result;
use cairn_proto::kafka::ApiKey;

/// The note of a scene that could not go on.
pub(crate) const STOPPED: &str = "stopped";

macro_rules! scenes {
    ($side:ident: $($module:ident::$scene:ident),* $(,)?) => {$(
        let name = stringify!($scene).replace('_', " ");
        $side.begin(&name);
        if let Err(error) = Box::pin($module::$scene($side)).await {
            $side.note(STOPPED, [("error".to_owned(), format!("{error:#}"))]);
        }
    )*};
}

/// Everything, in an order in which the internal topics of groups and transactions come late.
pub(crate) async fn ask_all(side: &mut Side) -> Result<()> {
    scenes! { side:
        versions::advertised_versions,
        versions::connections,
        cluster::description_of_the_cluster,
        cluster::metadata,
        cluster::making_topics_by_asking,
        topics::creating_topics,
        topics::deleting_topics,
        producing::producing,
        producing::what_is_no_batch,
        producing::without_acknowledgement,
        consuming::fetching,
        consuming::fetching_what_is_not_there,
        sessions::fetch_sessions,
        offsets::listing_offsets,
        epochs::leader_epochs,
        coordinators::finding_coordinators,
        producers::producer_ids,
        producers::sequences,
        members::joining,
        members::rebalancing,
        members::static_members,
        commits::committing,
        commits::committed_offsets,
        groups::describing_and_listing,
        groups::deleting_groups,
        groups::deleting_offsets,
    }
    Ok(())
}

/// The nearest version of an API that is served.
fn nearest(api: ApiKey, version: i16) -> i16 {
    version.clamp(*api.served().start(), *api.served().end())
}
