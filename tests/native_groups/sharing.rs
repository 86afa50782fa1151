//! Sharing: who has what, who loses what, and what is read meanwhile.

use super::super::{
    GROUP, PARTITIONS, Reads, SESSION, TOPIC, WITHIN, client, member, produce, read, scene, shares, start,
};
use anyhow::{Context as _, Result, ensure};
use cairn_client::GroupError;
use cairn_tests::scene::stop_cleanly;
use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader},
    sync::mpsc,
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_keeps_a_partition_reads_on_while_others_move() -> Result<()> {
    let scene = scene()?;
    let broker = start(&scene, None)?;
    let client = client(&broker).await?;
    let mut reads = Reads::default();
    let mut members = vec![member(&client).build().await?];
    members.push(member(&client).build().await?);
    read(&mut members, &mut reads, |_, members| shares(members) == [3, 3]).await?;
    let before: Vec<BTreeSet<_>> =
        members.iter().map(|member| member.assignment().into_iter().collect()).collect();
    reads.revoked.clear();

    // Records come all the time while a third one joins, and then leaves.
    let mut producing = JoinSet::new();
    producing.spawn({
        let client = client.clone();
        async move {
            for hundred in 0..10 {
                produce(&client, hundred * 100, (hundred + 1) * 100).await?;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok::<(), anyhow::Error>(())
        }
    });
    members.push(member(&client).build().await?);
    read(&mut members, &mut reads, |_, members| shares(members) == [2, 2, 2]).await?;
    for (index, before) in before.iter().enumerate() {
        let now: BTreeSet<_> = members[index].assignment().into_iter().collect();
        ensure!(now.is_subset(before), "member {index} had {before:?} and has {now:?}");
        let gone: BTreeSet<u32> = before.difference(&now).map(|one| one.partition).collect();
        let revoked: BTreeSet<u32> = reads.revoked.remove(&index).unwrap_or_default().into_iter().collect();
        ensure!(revoked == gone && gone.len() == 1, "member {index} gave up {revoked:?} for {gone:?}");
    }
    read(&mut members, &mut reads, |reads, _| reads.is_complete(1000)).await?;
    producing.join_next().await.context("the producer")???;

    members.pop().context("the third")?.close().await?;
    read(&mut members, &mut reads, |_, members| shares(members) == [3, 3]).await?;
    ensure!(reads.revoked.is_empty(), "nobody gives anything up when somebody leaves: {reads:?}");
    for member in members {
        member.close().await?;
    }
    let described = client.admin().describe_group(GROUP).await?;
    let committed: Vec<i64> = described.offsets.iter().map(|one| one.offset).collect();
    ensure!(committed == vec![1000; PARTITIONS as usize], "{described:?}");
    ensure!(described.summary.state == "Empty" && described.members.is_empty(), "{described:?}");
    client.close().await;
    Ok(())
}

/// Everything that a command prints, line by line.
fn lines_of(child: &mut std::process::Child) -> Result<mpsc::Receiver<String>> {
    let output = child.stdout.take().context("its output")?;
    let (to_lines, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            if to_lines.send(line).is_err() {
                return;
            }
        }
    });
    Ok(lines)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_member_and_a_killed_broker_cost_time_and_no_record() -> Result<()> {
    let scene = scene()?;
    let mut broker = start(&scene, None)?;
    let address = broker.grpc_address().to_owned();
    let client = client(&broker).await?;
    let mut reads = Reads::default();
    let mut members = vec![member(&client).build().await?, member(&client).build().await?];
    let session = SESSION.as_secs().to_string();
    let words = ["consume", TOPIC, "--group", GROUP, "--session-timeout", &session, "--format", "%p@%o\\n"];
    let mut child = scene.cairn(&broker).command(words).spawn()?;
    let lines = lines_of(&mut child)?;
    produce(&client, 0, 200).await?;
    read(&mut members, &mut reads, |_, members| shares(members) == [2, 2]).await?;
    produce(&client, 200, 400).await?;
    // The child has read some of it, and is killed wherever it is.
    let mut of_child = Reads::default();
    let mut first = None;
    read(&mut members, &mut reads, |_, _| {
        first = lines.try_recv().ok();
        first.is_some()
    })
    .await?;
    child.kill()?;
    child.wait()?;
    for line in first.into_iter().chain(lines.iter()) {
        let (partition, offset) = line.split_once('@').with_context(|| line.clone())?;
        of_child.record(2, partition.parse()?, offset.parse()?)?;
    }

    produce(&client, 400, 500).await?;
    read(&mut members, &mut reads, |_, members| shares(members) == [3, 3]).await?;
    // What it printed is read; what it had not committed of that is read again by the others.
    for (partition, offsets) in of_child.seen {
        reads.seen.entry(partition).or_default().extend(offsets);
    }
    read(&mut members, &mut reads, |reads, _| reads.is_complete(500)).await?;

    broker.kill()?;
    let mut producing = JoinSet::new();
    producing.spawn({
        let client = client.clone();
        async move { produce(&client, 500, 600).await }
    });
    let while_it_is_away = read(&mut members, &mut reads, |_, _| false);
    ensure!(
        tokio::time::timeout(Duration::from_secs(2), while_it_is_away).await.is_err(),
        "no error, a wait"
    );
    broker = start(&scene, Some(&address))?;
    read(&mut members, &mut reads, |reads, _| reads.is_complete(600)).await?;
    producing.join_next().await.context("the producer")???;
    ensure!(shares(&members) == [3, 3], "nothing moved for a restart: {:?}", shares(&members));
    members[0].commit().await?;
    for member in members {
        member.close().await?;
    }
    let described = client.admin().describe_group(GROUP).await?;
    ensure!(described.offsets.iter().all(|one| one.offset == 600), "{described:?}");
    client.close().await;
    drop(broker);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_static_member_comes_back_to_what_it_had() -> Result<()> {
    let scene = scene()?;
    let broker = start(&scene, None)?;
    let client = client(&broker).await?;
    let mut reads = Reads::default();
    let named = |name: &str| member(&client).instance_id(name).build();
    let mut members = vec![named("one").await?, named("two").await?];
    read(&mut members, &mut reads, |_, members| shares(members) == [3, 3]).await?;
    let had = members[1].assignment();
    reads.revoked.clear();
    members.pop().context("the second")?.close().await?;
    members.push(named("two").await?);
    read(&mut members, &mut reads, |_, members| shares(members) == [3, 3]).await?;
    ensure!(members[1].assignment() == had, "{had:?} became {:?}", members[1].assignment());
    ensure!(reads.revoked.is_empty(), "nothing moved: {reads:?}");

    // A second process of the same name takes its place, and the first is told so.
    let mut usurper = named("two").await?;
    let told = tokio::time::timeout(WITHIN, members[1].next_event()).await?;
    let fenced = matches!(&told, Some(Err(cairn_client::ConsumeError::Group(GroupError::Fenced { .. }))));
    ensure!(fenced, "{told:?}");
    produce(&client, 0, 1).await?;
    let next = tokio::time::timeout(WITHIN, usurper.next_record()).await?;
    ensure!(matches!(next, Some(Ok(_))), "{next:?}");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_heartbeat_does_not_hold_up_a_shutdown() -> Result<()> {
    let scene = scene()?;
    let broker = start(&scene, None)?;
    let address = broker.grpc_address().to_owned();
    let client = client(&broker).await?;
    let (mut reads, mut members) = (Reads::default(), Vec::new());
    // Its heartbeats wait for longer than the broker may take.
    members.push(member(&client).session_timeout(Duration::from_secs(60)).build().await?);
    read(&mut members, &mut reads, |_, members| shares(members) == [6]).await?;
    let begun = Instant::now();
    tokio::task::block_in_place(|| stop_cleanly(broker))?;
    ensure!(begun.elapsed() < Duration::from_secs(5), "stopped after {:?}", begun.elapsed());
    let broker = start(&scene, Some(&address))?;
    produce(&client, 0, 5).await?;
    read(&mut members, &mut reads, |reads, _| reads.is_complete(5)).await?;
    ensure!(reads.revoked.is_empty(), "nothing moved: {reads:?}");
    client.close().await;
    tokio::task::block_in_place(|| stop_cleanly(broker))
}
