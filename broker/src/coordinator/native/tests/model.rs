//! Random groups in virtual time: members join, leave, die and come back, heartbeats and answers are lost, delayed and repeated,
//! writes are slow or fail, and the coordinator dies and reads what was written. Never do two members whose sessions are alive
//! read one partition; and when the faults end, everything is read, evenly.

use super::{
    super::{Beat, Directive, NativeEffect, NativeError, NativeGroup, Profile, WrittenGroup, member::after},
    SESSION, profile, topic,
};
use crate::{
    clock::Monotonic,
    coordinator::group::{GroupOptions, Waiter},
    ids::{TopicId, TopicPartition},
};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

const STEP: Duration = Duration::from_millis(250);
const SEEDS: u64 = 150;
const FAULTY_STEPS: usize = 600;
/// Enough for every session to end and every partition to move.
const CALM_STEPS: usize = 400;

/// A client that follows the protocol.
#[derive(Debug, Default)]
struct Client {
    number: usize,
    life: usize,
    instance: bool,
    running: bool,
    epoch: i32,
    known: i32,
    reading: BTreeSet<TopicPartition>,
    /// What it was told; it does it when it comes to it.
    told: Option<BTreeSet<TopicPartition>>,
    /// The request whose answer counts, and when it was sent.
    asking: Option<(u64, Monotonic)>,
    /// When the last request that was answered was sent.
    heard: Option<Monotonic>,
}

impl Client {
    fn id(&self) -> String {
        format!("c{}-{}", self.number, self.life)
    }

    fn begin(&mut self) {
        let (number, life, instance) = (self.number, self.life + 1, self.instance);
        *self = Self { number, life, instance, running: true, ..Self::default() };
    }

    /// Whether it may read: the coordinator cannot have given it up yet.
    fn is_alive(&self, now: Monotonic) -> bool {
        self.running && self.heard.is_some_and(|heard| now < after(heard, SESSION))
    }

    fn profile(&self) -> Profile {
        let instance_id = self.instance.then(|| format!("i{}", self.number));
        Profile { instance_id, ..profile(&["t", "u"]) }
    }

    fn take(&mut self, answer: Result<Directive, NativeError>, sent: Monotonic) {
        match answer {
            Ok(Directive { epoch, assigned }) => {
                self.heard = Some(sent);
                if let Some(assigned) = assigned {
                    self.known = epoch;
                    let share: BTreeSet<_> = assigned.into_iter().map(|(_, partition)| partition).collect();
                    // What it is given it may read at once; what it must give up takes it a while.
                    self.reading.extend(share.iter().copied());
                    self.told = Some(share);
                }
            }
            Err(NativeError::UnknownMember) => self.begin(),
            Err(NativeError::FencedInstance) => self.running = false,
            Err(_) => {}
        }
    }
}

enum Message {
    Request(Beat),
    Leave(String),
}

/// A group with everything that can happen to it.
struct World {
    random: ChaCha8Rng,
    group: NativeGroup,
    /// What is certainly written, and what is on its way.
    durable: Option<WrittenGroup>,
    writing: Option<(u64, WrittenGroup)>,
    clients: Vec<Client>,
    network: Vec<Message>,
    answers: Vec<(u64, Result<Directive, NativeError>)>,
    sent: BTreeMap<u64, usize>,
    partitions: (u32, u32),
    now: Monotonic,
    next_waiter: u64,
    faulty: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let clients = (0..5).map(|number| Client { number, instance: number == 4, ..Client::default() });
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            group: NativeGroup::new(GroupOptions::default()),
            durable: None,
            writing: None,
            clients: clients.collect(),
            network: Vec::new(),
            answers: Vec::new(),
            sent: BTreeMap::new(),
            partitions: (5, 2),
            now: Monotonic::default(),
            next_waiter: 0,
            faulty: true,
        }
    }

    fn chance(&mut self, probability: f64) -> bool {
        self.faulty && self.random.random_bool(probability)
    }

    fn perform(&mut self, effects: Vec<NativeEffect>) {
        for effect in effects {
            match effect {
                NativeEffect::Answer(waiter, answer) => self.answers.push((waiter.0, answer)),
                NativeEffect::Write(version) => {
                    assert!(self.writing.is_none(), "two writes at a time");
                    self.writing = Some((version, self.group.to_written()));
                }
            }
        }
    }

    /// Clients do what they were told, and ask.
    fn clients_act(&mut self) {
        for index in 0..self.clients.len() {
            let (begins, dies, leaves) = (self.chance(0.02), self.chance(0.005), self.chance(0.004));
            let (is_slow, gives_up_waiting) = (self.chance(0.3), self.chance(0.05));
            let client = &mut self.clients[index];
            if !client.running {
                // At the end all of them run but one.
                if begins || (!self.faulty && client.number != 0) {
                    client.begin();
                }
                continue;
            }
            if dies || (!self.faulty && client.number == 0) {
                client.running = false;
                continue;
            }
            if leaves {
                client.running = false;
                self.network.push(Message::Leave(client.id()));
                continue;
            }
            if !is_slow && let Some(share) = client.told.take() {
                client.reading = share;
                client.epoch = client.known;
                client.asking = None;
            }
            if gives_up_waiting {
                client.asking = None;
            }
            let patience = self.now.since(client.asking.map_or(self.now, |(_, sent)| sent));
            if client.asking.is_none() || patience > SESSION / 2 {
                self.next_waiter += 1;
                client.asking = Some((self.next_waiter, self.now));
                self.sent.insert(self.next_waiter, index);
                self.network.push(Message::Request(Beat {
                    waiter: Waiter(self.next_waiter),
                    member_id: client.id(),
                    epoch: client.epoch,
                    known_epoch: client.known,
                    profile: client.profile(),
                    wait: Duration::from_secs(2),
                }));
            }
        }
    }

    /// Requests arrive, late, twice, in any order, or not at all.
    fn network_acts(&mut self) {
        for message in std::mem::take(&mut self.network) {
            if self.chance(0.05) {
                continue;
            }
            if self.chance(0.1) {
                self.network.push(message);
                continue;
            }
            let partitions = self.partitions;
            let lookup = |name: &str| -> Option<(TopicId, u32)> {
                match name {
                    "t" => Some((topic(1), partitions.0)),
                    _ => Some((topic(2), partitions.1)),
                }
            };
            let effects = match message {
                Message::Request(beat) => {
                    let repeated = self.chance(0.03).then(|| beat.clone());
                    self.network.extend(repeated.map(Message::Request));
                    self.group.heartbeat(beat, &lookup, self.now)
                }
                Message::Leave(id) => self.group.leave(&id, self.now).unwrap_or_default(),
            };
            self.perform(effects);
        }
    }

    fn disk_acts(&mut self) {
        if self.writing.is_none() || self.chance(0.3) {
            return;
        }
        let fails = self.chance(0.1);
        let Some((version, written)) = self.writing.take() else { return };
        if !fails {
            self.durable = Some(written);
        }
        let outcome = if fails { Err("planted".to_string()) } else { Ok(()) };
        let effects = self.group.written(version, outcome);
        self.perform(effects);
    }

    /// The coordinator dies: what was on its way to the disk is there or not, and nobody is answered.
    fn coordinator_acts(&mut self) {
        if !self.chance(0.01) {
            return;
        }
        let arrives = self.random.random_bool(0.5);
        if let Some((_, written)) = self.writing.take().filter(|_| arrives) {
            self.durable = Some(written);
        }
        self.answers.clear();
        self.group = match self.durable.clone() {
            Some(written) => {
                assert!(written.is_consistent());
                NativeGroup::restore(GroupOptions::default(), written)
            }
            None => NativeGroup::new(GroupOptions::default()),
        };
        self.group.begin_sessions(self.now);
    }

    fn answers_arrive(&mut self) {
        for (waiter, answer) in std::mem::take(&mut self.answers) {
            if self.chance(0.05) {
                continue;
            }
            if self.chance(0.1) {
                self.answers.push((waiter, answer));
                continue;
            }
            let Some(index) = self.sent.remove(&waiter) else { continue };
            let client = &mut self.clients[index];
            if let Some((asked, sent)) = client.asking
                && asked == waiter
                && client.running
            {
                client.asking = None;
                client.take(answer, sent);
            }
        }
    }

    fn check(&self, seed: u64) {
        let mut readers: BTreeMap<TopicPartition, String> = BTreeMap::new();
        for client in self.clients.iter().filter(|client| client.is_alive(self.now)) {
            for partition in &client.reading {
                let other = readers.insert(*partition, client.id());
                assert_eq!(other, None, "seed {seed}: {partition:?} is read by {} as well", client.id());
            }
        }
    }

    fn step(&mut self, seed: u64) {
        self.clients_act();
        self.network_acts();
        self.disk_acts();
        self.coordinator_acts();
        self.answers_arrive();
        self.check(seed);
        self.now = after(self.now, STEP);
        let effects = self.group.tick(self.now);
        self.perform(effects);
        self.check(seed);
        if self.chance(0.002) {
            self.partitions.0 += 1;
        }
    }
}

#[test]
fn no_two_members_read_one_partition_and_in_the_end_all_is_read() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        for _ in 0..FAULTY_STEPS {
            world.step(seed);
        }
        world.faulty = false;
        for _ in 0..CALM_STEPS {
            world.step(seed);
        }
        let shares: Vec<usize> = world.clients.iter().map(|client| client.reading.len()).collect();
        let shares = &shares[1..];
        let all: BTreeSet<_> = world.clients[1..].iter().flat_map(|client| client.reading.clone()).collect();
        let expected = usize::try_from(world.partitions.0 + world.partitions.1).unwrap();
        assert_eq!(all.len(), expected, "seed {seed}: not everything is read: {shares:?}");
        let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
        assert!(most - least <= 1, "seed {seed}: uneven: {shares:?}");
        assert_eq!(world.group.describe().state, "Stable", "seed {seed}");
        // And then nothing moves any more.
        let epoch = world.group.epoch();
        for _ in 0..100 {
            world.step(seed);
        }
        assert_eq!(world.group.epoch(), epoch, "seed {seed}: it goes on moving");
    }
}
