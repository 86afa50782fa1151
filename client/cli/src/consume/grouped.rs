//! `cairn consume --group`: prints the share of a group's member. What is committed was written out before, so that nothing is
//! lost between the two: after a crash the last records may be printed twice.

use super::{BUFFER_BYTES, ConsumeArgs, ready_now, render::Renderer, write_out};
use crate::{closed_pipe, failure::Failure, session::Session, start::Start, stopwatch::Stopwatch};
use cairn_client::{ConsumeError, ConsumedRecord, GroupConsumer, GroupError, GroupEvent, OffsetReset};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// What is written out is committed so often while records keep coming.
const COMMIT_EVERY: Duration = Duration::from_secs(1);

/// Prints until there is a reason to stop, and leaves the group.
pub(super) async fn run(args: &ConsumeArgs, group: &str, session: &Session) -> Result<(), Failure> {
    let mut consumer = session.client.consumer().group(group).topics([&args.topic]).manual_commit();
    consumer = consumer.offset_reset(match args.from {
        Start::End => OffsetReset::Latest,
        _ => OffsetReset::Earliest,
    });
    if let Some(seconds) = args.session_timeout {
        consumer = consumer.session_timeout(Duration::from_secs(seconds));
    }
    if let Some(instance) = &args.instance_id {
        consumer = consumer.instance_id(instance);
    }
    session.unless_interrupted(session.describe(&args.topic, None)).await?;
    let consumer = session.unless_interrupted(async { Ok(consumer.build().await?) }).await?;
    let mut printer = Printer {
        consumer,
        renderer: Renderer::new(session.output, args.format.clone()),
        left: args.count,
        buffer: Vec::with_capacity(2 * BUFFER_BYTES),
        printed: BTreeMap::new(),
        since_commit: Stopwatch::start(),
    };
    let printed = tokio::select! {
        printed = printer.print() => printed,
        () = session.interrupt.pressed() => Err(Failure::interrupted()),
        () = closed_pipe::reader_is_gone() => Err(closed_pipe::failure()),
    };
    // What came before the failure is printed before the failure, and committed if it could be printed.
    let written = write_out(&mut printer.buffer);
    let committed = match &written {
        Ok(()) => printer.commit().await,
        Err(_) => Ok(()),
    };
    let closed = printer.consumer.close().await.map_err(Failure::from);
    written.and(printed).and(committed).and(closed)
}

struct Printer {
    consumer: GroupConsumer,
    renderer: Renderer,
    /// How many more records; `None` for any number.
    left: Option<u64>,
    buffer: Vec<u8>,
    /// Behind the last record in the buffer or written out, and not committed yet, of each partition.
    printed: BTreeMap<(Arc<str>, u32), i64>,
    since_commit: Stopwatch,
}

impl Printer {
    async fn print(&mut self) -> Result<(), Failure> {
        while self.left != Some(0) {
            let event = match ready_now(self.consumer.next_event()).await {
                Some(event) => event,
                None => {
                    write_out(&mut self.buffer)?;
                    match self.next_or_commit().await? {
                        Some(event) => event,
                        None => continue,
                    }
                }
            };
            match event.ok_or(ConsumeError::Closed)?? {
                GroupEvent::Record(record) => self.take(&record)?,
                GroupEvent::Revoked(_) => {
                    write_out(&mut self.buffer)?;
                    self.commit().await?;
                }
                GroupEvent::Lost(partitions) => {
                    self.printed.retain(|(topic, partition), _| {
                        !partitions.iter().any(|lost| lost.topic == *topic && lost.partition == *partition)
                    });
                }
                GroupEvent::Assigned(_) => {}
            }
            if self.buffer.len() >= BUFFER_BYTES {
                write_out(&mut self.buffer)?;
                if self.since_commit.elapsed() >= COMMIT_EVERY {
                    self.commit().await?;
                }
                // Ctrl-C must be heard however fast the records come.
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// The next event; `None` if it was time to commit before one came.
    async fn next_or_commit(&mut self) -> Result<Option<Option<Result<GroupEvent, ConsumeError>>>, Failure> {
        if self.printed.is_empty() {
            return Ok(Some(self.consumer.next_event().await));
        }
        let wait = COMMIT_EVERY.saturating_sub(self.since_commit.elapsed());
        match tokio::time::timeout(wait, self.consumer.next_event()).await {
            Ok(event) => Ok(Some(event)),
            Err(_elapsed) => self.commit().await.map(|()| None),
        }
    }

    fn take(&mut self, record: &ConsumedRecord) -> Result<(), Failure> {
        self.renderer.render(record, &mut self.buffer)?;
        self.printed.insert((Arc::clone(&record.topic), record.partition), record.offset.saturating_add(1));
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(1);
        }
        Ok(())
    }

    /// Commits what is written out. Partitions that are another member's by now are read again there.
    async fn commit(&mut self) -> Result<(), Failure> {
        self.since_commit = Stopwatch::start();
        let printed = std::mem::take(&mut self.printed);
        let offsets = printed.iter().map(|((topic, partition), offset)| (&**topic, *partition, *offset));
        if printed.is_empty() {
            return Ok(());
        }
        let committed = match self.consumer.commit_offsets(offsets) {
            Ok(commit) => commit.await,
            Err(error) => Err(error),
        };
        match committed {
            Ok(()) | Err(GroupError::NotAssigned { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
