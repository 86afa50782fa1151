//! Groups on the command line: what scripts rely on.

use super::super::{GROUP, PARTITIONS, TOPIC, WITHIN, client, member, produce, scene, start};
use anyhow::{Context as _, Result, ensure};
use cairn_client::{GroupError, NewTopic, OffsetReset, Record};
use cairn_tests::command_line::{CommandLine, Finished};
use serde_json::Value;
use std::time::{Duration, SystemTime};

fn run(cairn: &CommandLine, words: &str) -> Result<Finished> {
    tokio::task::block_in_place(|| cairn.run(words.split(' ')))
}

fn json(cairn: &CommandLine, words: &str) -> Result<Vec<Value>> {
    run(cairn, &format!("--output json {words}"))?.expect_code(0)?.json_lines()
}

/// The numbers of one field, in all partitions.
fn field(described: &Value, name: &str) -> Vec<Option<i64>> {
    let partitions = described["partitions"].as_array().into_iter().flatten();
    partitions.map(|partition| partition[name].as_i64()).collect()
}

fn now_ms() -> Result<i64> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    Ok(i64::try_from(since.as_millis())?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_from_its_first_record_to_its_deletion() -> Result<()> {
    let scene = scene()?;
    let broker = start(&scene, None)?;
    let client = client(&broker).await?;
    let cairn = scene.cairn(&broker);
    ensure!(run(&cairn, "group list")?.expect_code(0)?.text()?.contains("there is no group yet"));
    ensure!(run(&cairn, "group describe nobody")?.expect_code(4)?.errors.contains("cairn group list"));
    run(&cairn, "group delete nobody")?.expect_code(4)?;

    produce(&client, 0, 10).await?;
    let words = format!("consume {TOPIC} --group {GROUP} --count 20 --format %p@%o\\n");
    let first = run(&cairn, &words)?.expect_code(0)?;
    let rest = run(&cairn, &words.replace("20", "40"))?.expect_code(0)?;
    let printed = format!("{}{}", first.text()?, rest.text()?);
    let mut lines: Vec<&str> = printed.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    ensure!(lines.len() == 60, "what one printed and committed the next one does not: {printed}");

    let described = json(&cairn, &format!("group describe {GROUP}"))?.remove(0);
    ensure!(described["state"] == "Empty" && described["kind"] == "native", "{described}");
    ensure!(field(&described, "committed") == vec![Some(10); PARTITIONS as usize], "{described}");
    ensure!(field(&described, "lag_records") == vec![Some(0); PARTITIONS as usize], "{described}");
    ensure!(field(&described, "lag_ms") == vec![Some(0); PARTITIONS as usize], "caught up: {described}");
    let listed = json(&cairn, "group list")?;
    ensure!(listed.len() == 1 && listed[0]["group"] == GROUP && listed[0]["members"] == 0, "{listed:?}");

    let dry = json(&cairn, &format!("group reset-offsets {GROUP} --topic {TOPIC} --to -4 --dry-run"))?;
    ensure!(dry.len() == PARTITIONS as usize && dry.iter().all(|one| one["to"] == 6), "{dry:?}");
    let reset = |words: &str, expected: i64| -> Result<()> {
        let done = json(&cairn, &format!("group reset-offsets {GROUP} --topic {TOPIC} {words}"))?;
        ensure!(done.iter().all(|one| one["to"] == expected), "{words}: {done:?}");
        let described = json(&cairn, &format!("group describe {GROUP}"))?.remove(0);
        let committed = field(&described, "committed");
        ensure!(committed.first() == Some(&Some(expected)), "{words}: {described}");
        Ok(())
    };
    for (words, expected) in
        [("--to -4", 6), ("--to +1", 7), ("--to -100", 0), ("--to 1h", 0), ("--to end", 10), ("--to 5", 5)]
    {
        reset(words, expected)?;
    }
    reset("--partition 0 --to beginning", 0)?;
    let at_five = field(&json(&cairn, &format!("group describe {GROUP}"))?.remove(0), "lag_records");
    ensure!(at_five == [10, 5, 5, 5, 5, 5].map(Some), "{at_five:?}");

    let mut busy = member(&client).build().await?;
    tokio::time::timeout(WITHIN, busy.next_record()).await?.context("open")??;
    let refused =
        run(&cairn, &format!("group reset-offsets {GROUP} --topic {TOPIC} --to end"))?.expect_code(1)?;
    ensure!(refused.errors.contains("stop them first"), "{}", refused.errors);
    let refused = run(&cairn, &format!("group delete {GROUP}"))?.expect_code(1)?;
    ensure!(refused.errors.contains("stop them first"), "{}", refused.errors);
    let text = run(&cairn, &format!("group describe {GROUP}"))?.expect_code(0)?;
    ensure!(text.text()?.contains("native, Stable, 1 member"), "{}", text.text()?);
    busy.close().await?;
    run(&cairn, &format!("group delete {GROUP}"))?.expect_code(0)?;
    run(&cairn, &format!("group describe {GROUP}"))?.expect_code(4)?;
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lag_is_told_in_records_and_in_the_age_of_the_oldest() -> Result<()> {
    const HOUR_MS: i64 = 3_600_000;
    let scene = scene()?;
    let broker = start(&scene, None)?;
    let client = client(&broker).await?;
    let cairn = scene.cairn(&broker);
    client.admin().create_topic(NewTopic::named("aged").partitions(2)).await?;
    let producer = client.producer().build().await?;
    // Ten records, one an hour, the last of them an hour ago.
    let now = now_ms()?;
    for number in 0..10 {
        let record = Record::to("aged").partition(0).value("v").timestamp_ms(now - (10 - number) * HOUR_MS);
        producer.send(record).await?.await?;
    }
    let reset = |to: &str| json(&cairn, &format!("group reset-offsets late --topic aged --to {to}"));
    let lag = || -> Result<[Vec<Option<i64>>; 2]> {
        let described = json(&cairn, "group describe late")?.remove(0);
        Ok([field(&described, "lag_records"), field(&described, "lag_ms")])
    };
    for (to, records) in [("beginning", 10), ("4", 6), ("9", 1)] {
        reset(to)?;
        let [counts, ages] = lag()?;
        ensure!(counts == [Some(records), Some(0)], "{counts:?}");
        let (age, expected) = (ages[0].context("an age")?, records * HOUR_MS);
        ensure!((expected..expected + HOUR_MS / 2).contains(&age) && ages[1] == Some(0), "{to}: {ages:?}");
    }
    reset("end")?;
    ensure!(lag()? == [vec![Some(0); 2], vec![Some(0); 2]], "caught up");
    // What was deleted is not behind: the oldest one that is left is.
    reset("0")?;
    client.admin().delete_records("aged", 0, Some(7)).await?;
    let [counts, ages] = lag()?;
    ensure!(counts[0] == Some(3) && ages[0].is_some_and(|age| age < 4 * HOUR_MS), "{counts:?} {ages:?}");
    let text = run(&cairn, "group describe late")?.expect_code(0)?;
    ensure!(text.text()?.contains("3 records behind, at most 3h 0m"), "{}", text.text()?);
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_is_committed_the_reset_decides() -> Result<()> {
    let scene = scene()?;
    let broker = start(&scene, None)?;
    let client = client(&broker).await?;
    produce(&client, 0, 5).await?;
    let build =
        |group: &str, reset| client.consumer().group(group).topics([TOPIC]).offset_reset(reset).build();
    let mut earliest = build("earliest", OffsetReset::Earliest).await?;
    let record = tokio::time::timeout(WITHIN, earliest.next_record()).await?.context("open")??;
    ensure!(record.offset == 0, "{record:?}");
    let mut none = build("none", OffsetReset::None).await?;
    let error = tokio::time::timeout(WITHIN, none.next_record()).await?.context("open")?.unwrap_err();
    ensure!(error.to_string().contains("seek"), "{error}");
    let mut latest = build("latest", OffsetReset::Latest).await?;
    let quiet = tokio::time::timeout(Duration::from_secs(1), latest.next_record()).await;
    ensure!(quiet.is_err(), "{quiet:?}");
    produce(&client, 5, 6).await?;
    let record = tokio::time::timeout(WITHIN, latest.next_record()).await?.context("open")??;
    ensure!(record.offset == 5, "{record:?}");

    // What was handed out and nothing else is committed; another member's partitions are refused.
    let commit = earliest.commit_offsets([("shared", record.partition, 1)])?;
    commit.await?;
    let refused = earliest.commit_offsets([("another", 0, 1)]).err();
    ensure!(matches!(refused, Some(GroupError::NotAssigned { .. })), "{refused:?}");
    client.close().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nothing_is_committed_a_group_has_not_caught_up() -> Result<()> {
    let scene = scene()?;
    let broker = start(&scene, None)?;
    let client = client(&broker).await?;
    let cairn = scene.cairn(&broker);
    client.admin().create_topic(NewTopic::named("halves").partitions(2)).await?;
    let producer = client.producer().build().await?;
    for partition in 0..2 {
        producer.send(Record::to("halves").partition(partition).value("v")).await?.await?;
    }
    run(&cairn, "group reset-offsets half --topic halves --partition 0 --to end")?.expect_code(0)?;
    let described = json(&cairn, "group describe half")?.remove(0);
    ensure!(field(&described, "committed") == [Some(1), None], "{described}");
    ensure!(field(&described, "lag_records") == [Some(0), None], "{described}");
    let text = run(&cairn, "group describe half")?.expect_code(0)?;
    let expected = "caught up where it has committed; 1 record in partitions where it has committed nothing";
    ensure!(text.text()?.contains(expected), "{}", text.text()?);
    client.close().await;
    Ok(())
}
