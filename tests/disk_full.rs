//! A file system that fills up, on a tmpfs in a user and mount namespace of its own: produce is refused with a clear
//! error, reads go on, nothing acknowledged is lost, writes resume by themselves when space returns, and a broker
//! starts on a full disk and can be given space by deleting records.

#![cfg(test)]

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use cairn_client::{Client, NewTopic};
use cairn_proto::{
    record::{Batch, BatchOptions, DecompressLimit},
    v1::{ErrorCode, FetchRequest, ProduceResponse, Subscribe, log_client::LogClient},
};
use cairn_tests::{
    process::{BrokerCommand, BrokerProcess},
    scene::{ENDS_WITHIN, Scene},
    wire,
};
use rustix::process::Signal;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use tonic::transport::Channel;

const TOPIC: &str = "full";
const DISK_BYTES: usize = 64 << 20;
const BALLAST_BYTES: usize = 16 << 20;
const VALUE_BYTES: usize = 200_000;
/// More than the first files of a journal's ring.
const STARTS_IN_A_ROW: usize = 6;
const RESUMES_WITHIN: Duration = Duration::from_secs(30);

/// A small tmpfs that only processes of its namespace see, kept alive by one that sleeps there.
struct SmallDisk {
    holder: Child,
    mount: PathBuf,
}

impl SmallDisk {
    fn mount_at(mount: &Path) -> Result<Self> {
        fs::create_dir(mount)?;
        let script = format!(
            "mount -t tmpfs -o size={DISK_BYTES} cairn-test \"$0\" && echo mounted && exec sleep 3600"
        );
        let mut holder = Command::new("unshare")
            .args(["-Urm", "sh", "-c", &script])
            .arg(mount)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .context("unshare")?;
        let mut said = [0; 8];
        let output = holder.stdout.as_mut().context("piped")?;
        let mounted = std::io::Read::read_exact(output, &mut said);
        let disk = Self { holder, mount: mount.to_owned() };
        ensure!(
            mounted.is_ok() && &said == b"mounted\n",
            "this machine refuses a user and mount namespace with a tmpfs, which this test needs \
             (kernel.unprivileged_userns_clone, user.max_user_namespaces, or a container's seccomp profile)"
        );
        Ok(disk)
    }

    /// A broker inside.
    fn broker(&self, scene: &Scene) -> BrokerCommand {
        let id = self.holder.id().to_string();
        let enter = ["nsenter", "--preserve-credentials", "-U", "-m", "-t", &id, "--"];
        let command = scene.broker_on(self.mount.join("data")).wrapped_in(enter);
        let small = [
            ("--journal-ring-bytes-max", "16777216"),
            ("--journal-file-bytes-max", "2097152"),
            ("--checkpoint-after-bytes", "2097152"),
        ];
        let command =
            small.iter().fold(command, |command, (name, value)| command.argument(*name).argument(*value));
        ["full", "space"].iter().fold(command, |command, text| command.expecting_complaint(text))
    }

    /// The directory as seen from outside.
    fn seen_from_outside(&self) -> PathBuf {
        let relative = self.mount.strip_prefix("/").unwrap_or(&self.mount);
        Path::new("/proc").join(self.holder.id().to_string()).join("root").join(relative)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// One producer without sequences, so that a refusal is seen as it is.
struct Writer {
    channel: Channel,
    topic_id: Bytes,
    /// The first byte of each acknowledged record's value, by offset.
    acknowledged: Vec<u8>,
    next: u8,
}

impl Writer {
    async fn new(broker: &BrokerProcess) -> Result<Self> {
        let channel = wire::channel(broker.grpc_address()).await?;
        let topic_id = wire::topic_id(&channel, TOPIC).await?;
        Ok(Self { channel, topic_id, acknowledged: Vec::new(), next: 0 })
    }

    async fn reconnect(&mut self, broker: &BrokerProcess) -> Result<()> {
        self.channel = wire::channel(broker.grpc_address()).await?;
        Ok(())
    }

    async fn write(&mut self) -> Result<ProduceResponse> {
        let value = vec![self.next; VALUE_BYTES];
        let batch = wire::batch(BatchOptions::default(), &[&value])?;
        let request = wire::produce_request(1, self.topic_id.clone(), batch.into());
        let reply = wire::produce(&self.channel, request).await?;
        if reply.error() == ErrorCode::None {
            ensure!(reply.base_offset == i64::try_from(self.acknowledged.len())?, "{reply:?}");
            self.acknowledged.push(self.next);
            self.next = self.next.wrapping_add(1);
        }
        Ok(reply)
    }

    /// Writes until there is no more space; how many were accepted.
    async fn fill(&mut self) -> Result<usize> {
        for count in 0..(4 * DISK_BYTES / VALUE_BYTES) {
            let reply = self.write().await?;
            if reply.error() != ErrorCode::None {
                ensure!(reply.error() == ErrorCode::StorageFull, "{reply:?}");
                ensure!(reply.message.len() > 20, "{reply:?}");
                return Ok(count);
            }
        }
        anyhow::bail!("the disk did not fill up")
    }

    /// Waits until a write is accepted.
    async fn resumes(&mut self) -> Result<()> {
        let began = Instant::now();
        while self.write().await?.error() != ErrorCode::None {
            ensure!(began.elapsed() < RESUMES_WITHIN, "writes did not resume within {RESUMES_WITHIN:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        println!("writes resumed after {:?}", began.elapsed());
        Ok(())
    }

    /// Everything acknowledged from `start` on is there, and nothing else.
    async fn reads_back(&self, start: usize) -> Result<()> {
        let subscribe = Subscribe {
            topic_id: self.topic_id.clone(),
            offset: i64::try_from(start)?,
            leader_epoch: -1,
            last_epoch: -1,
            ..Default::default()
        };
        let request =
            FetchRequest { subscribe: vec![subscribe], unsubscribe: vec![], add_credit_bytes: 1 << 40 };
        let (_sender, requests) = {
            let (sender, requests) = tokio::sync::mpsc::channel(1);
            sender.send(request).await?;
            (sender, tokio_stream::wrappers::ReceiverStream::new(requests))
        };
        let mut log = LogClient::new(self.channel.clone()).max_decoding_message_size(64 << 20);
        let mut pushed = log.fetch(requests).await?.into_inner();
        let mut seen = Vec::new();
        while start + seen.len() < self.acknowledged.len() {
            let reply = tokio::time::timeout(Duration::from_secs(20), pushed.message()).await??;
            let mut reply = reply.context("the stream ended")?;
            ensure!(reply.error() == ErrorCode::None, "{:?} {}", reply.error(), reply.message);
            while let Some(batch) = Batch::split_first(&mut reply.batches)? {
                for record in batch.records(DecompressLimit { bytes_max: 1 << 24 })? {
                    let value = record?.value.context("a value")?;
                    ensure!(
                        value.len() == VALUE_BYTES && value.iter().all(|byte| *byte == value[0]),
                        "other bytes"
                    );
                    seen.push(value[0]);
                }
            }
        }
        ensure!(seen == self.acknowledged[start..], "what is read is not what was acknowledged");
        ensure!(
            wire::end_offset(&self.channel, self.topic_id.clone()).await?
                == i64::try_from(self.acknowledged.len())?
        );
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_refuses_and_loses_nothing() -> Result<()> {
    let scene = Scene::new(env!("CARGO_BIN_EXE_test-cairn-broker"), env!("CARGO_BIN_EXE_test-cairn"))?;
    let disk = SmallDisk::mount_at(&scene.path().join("small-disk"))?;
    let ballast = disk.seen_from_outside().join("ballast");
    fs::write(&ballast, vec![0; BALLAST_BYTES])?;
    let command = disk.broker(&scene);
    let broker = tokio::task::block_in_place(|| command.start())?;
    let client = Client::connect(broker.grpc_address()).await?;
    let topic =
        NewTopic::named(TOPIC).config("segment.bytes", "2097152").config("max.message.bytes", "1048576");
    client.admin().create_topic(topic).await?;
    let mut writer = Writer::new(&broker).await?;

    let first = writer.fill().await?;
    println!("{first} records of {VALUE_BYTES} bytes until the disk was full");
    ensure!(first > 20, "only {first} records fitted");
    writer.reads_back(0).await?;

    fs::remove_file(&ballast)?;
    writer.resumes().await?;
    writer.fill().await?;
    writer.reads_back(0).await?;

    let address = broker.grpc_address().to_owned();
    let mut broker = broker;
    for start in 0..STARTS_IN_A_ROW {
        // The rest of the space is taken too, so that the next start finds not a byte.
        let filled = fill_up(&ballast.with_extension(start.to_string()))?;
        println!("{filled} bytes of ballast fill the disk to the brim");
        broker = tokio::task::block_in_place(|| {
            broker.kill()?;
            command.start_at(&address)
        })
        .with_context(|| format!("start {start} in a row on a full disk"))?;
        writer.reconnect(&broker).await?;
        writer.reads_back(0).await.with_context(|| broker.said())?;
        let accepted = writer.fill().await?;
        println!("{accepted} records fitted into what start {start} gave back");
    }
    writer.reads_back(0).await?;

    // Space comes back through the broker itself.
    let before = writer.acknowledged.len() / 2;
    let start = client.admin().delete_records(TOPIC, 0, Some(i64::try_from(before)?)).await?;
    ensure!(start == i64::try_from(before)?, "the log begins at {start}");
    writer.resumes().await?;
    writer.reads_back(before).await?;
    client.close().await;
    let status = tokio::task::block_in_place(|| broker.stop(Signal::TERM, ENDS_WITHIN))?;
    ensure!(status.code() == Some(0), "ended with {status}");
    Ok(())
}

/// Writes until nothing fits any more.
fn fill_up(path: &Path) -> Result<u64> {
    let mut file = fs::File::create(path)?;
    let mut written = 0;
    for size in [1 << 20, 4096] {
        let block = vec![0; size];
        while std::io::Write::write_all(&mut file, &block).is_ok() {
            written += size as u64;
        }
    }
    Ok(written)
}
