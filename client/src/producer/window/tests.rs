//! The window against a model broker: whatever is acknowledged, refused, lost or cut off in between, the log holds each
//! batch at most once, in order, without gaps, and what the application is told agrees with the log.

use super::*;
use proptest::prelude::*;

const FIRST: Identity = Identity { producer_id: 7, epoch: 0, generation: 1 };

fn window() -> Window<u32> {
    Window::new(5, Some(FIRST))
}

#[test]
fn sequences_wrap_to_zero() {
    assert_eq!(sequence_after(0, 3), 3);
    assert_eq!(sequence_after(i32::MAX, 1), 0);
    assert_eq!(sequence_after(i32::MAX - 1, 3), 1);
    assert_eq!(sequence_after(i32::MAX - 1, 1), i32::MAX);
}

#[test]
fn five_batches_and_no_more() {
    let mut window = window();
    for batch in 0..5 {
        assert_eq!(window.admit(batch, 2), i32::try_from(batch).unwrap() * 2);
        window.sent(u64::from(batch));
    }
    assert!(!window.has_room());
    assert!(window.acknowledged(0).is_some());
    assert!(window.has_room());
    assert_eq!(window.admit(5, 2), 10);
}

#[test]
fn answered_successors_of_the_oldest_batch_count() {
    let mut window = window();
    for batch in 0..3 {
        window.admit(batch, 1);
        window.sent(u64::from(batch));
    }
    window.repeat(0, true);
    assert!(window.acknowledged(1).is_some() && window.acknowledged(2).is_some());
    window.sent(10);
    for batch in 3..5 {
        window.admit(batch, 1);
        window.sent(u64::from(batch));
    }
    assert!(!window.has_room(), "the broker would forget batch 0");
    assert!(window.acknowledged(10).is_some());
    assert!(window.has_room());
}

#[test]
fn a_repeated_batch_waits_for_its_successors_to_be_answered() {
    let mut window = window();
    for batch in 0..3 {
        window.admit(batch, 1);
        window.sent(u64::from(batch));
    }
    assert!(window.repeat(0, false));
    assert!(window.next_to_send().is_none(), "1 and 2 are on their way");
    assert_eq!(window.out_of_order(1), OutOfOrder::Repeat);
    assert_eq!(window.out_of_order(2), OutOfOrder::Repeat);
    for (expected, request) in [(0, 10), (1, 11), (2, 12)] {
        assert_eq!(window.next_to_send().map(|entry| entry.batch), Some(expected));
        window.sent(request);
    }
    assert!(window.next_to_send().is_none());
}

#[test]
fn a_gap_asks_for_a_new_identity_and_fails_only_what_is_ambiguous() {
    let mut window = window();
    for batch in 0..4 {
        window.admit(batch, 1);
        window.sent(u64::from(batch));
    }
    assert_eq!(window.refused(0).map(|entry| entry.batch), Some(0));
    assert!(window.needs_renewal() && !window.has_room() && window.next_to_send().is_none());
    let second = Identity { generation: 2, epoch: 1, ..FIRST };
    assert!(window.renew(second).is_none(), "three are on their way");
    window.out_of_order(1);
    window.repeat(2, true);
    window.out_of_order(3);
    assert!(window.renew(FIRST).is_none(), "that identity is used up");
    let failed = window.renew(second);
    let renumbered: Vec<_> = window.entries().map(|entry| (entry.batch, entry.sequence)).collect();
    assert_eq!(failed.map(|failed| failed.into_iter().map(|entry| entry.batch).collect()), Some(vec![2]));
    assert_eq!(renumbered, [(1, 0), (3, 1)]);
    assert_eq!(window.admit_sequence_for_test(), 2);
}

#[test]
fn without_idempotence_a_gap_is_nobodys_business() {
    let mut window: Window<u32> = Window::new(5, None);
    assert_eq!(window.admit(0, 1), -1);
    window.sent(0);
    assert!(window.refused(0).is_some());
    assert!(!window.needs_renewal() && window.has_room());
}

impl Window<u32> {
    fn admit_sequence_for_test(&mut self) -> i32 {
        while let Some(entry) = self.next_to_send() {
            entry.sent = Some(u64::MAX);
        }
        self.admit(99, 1)
    }
}

/// The broker's side: what it appended, and what it remembers of each identity.
#[derive(Default)]
struct Log {
    batches: Vec<u32>,
    identity: Option<(u64, i32)>,
    /// The last five: (sequence, batch).
    recent: Vec<(i32, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Reply {
    Appended,
    OutOfOrder,
    Fenced,
}

impl Log {
    fn produce(&mut self, generation: u64, sequence: i32, batch: u32) -> Reply {
        let (current, next) = self.identity.unwrap_or((generation, 0));
        if generation < current {
            return Reply::Fenced;
        }
        let next = if generation > current { 0 } else { next };
        if generation == current {
            if let Some((_, known)) = self.recent.iter().find(|(known, _)| *known == sequence) {
                assert_eq!(*known, batch, "one sequence, one batch");
                return Reply::Appended;
            }
        } else if sequence == 0 {
            self.recent.clear();
        }
        if sequence != next {
            return Reply::OutOfOrder;
        }
        self.batches.push(batch);
        self.identity = Some((generation, next + 1));
        self.recent.push((sequence, batch));
        if self.recent.len() > 5 {
            self.recent.remove(0);
        }
        Reply::Appended
    }
}

/// What may happen next; numbers choose among what is possible.
#[derive(Clone, Copy, Debug)]
enum Event {
    Admit,
    Send,
    /// The broker takes the next request off the wire and answers.
    Serve,
    /// It refuses it for now, nothing appended.
    RefuseForNow,
    /// It appends, or not, and says that nobody knows.
    Unclear(bool),
    /// It refuses it for good.
    RefuseForGood,
    /// The client reads the next answer.
    Answer,
    /// Requests up to this many are still served, their answers lost.
    Disconnect(usize),
    /// The oldest batch is given up.
    GiveUp,
    Renew,
}

fn events(with_gaps: bool) -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        6 => Just(Event::Admit),
        8 => Just(Event::Send),
        8 => Just(Event::Serve),
        2 => Just(Event::RefuseForNow),
        2 => any::<bool>().prop_map(Event::Unclear),
        1 => Just(if with_gaps { Event::RefuseForGood } else { Event::Serve }),
        10 => Just(Event::Answer),
        1 => (0_usize..6).prop_map(Event::Disconnect),
        1 => Just(if with_gaps { Event::GiveUp } else { Event::Answer }),
        2 => Just(Event::Renew),
    ];
    proptest::collection::vec(event, 0..200)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Answer {
    Appended,
    NotNow,
    Unclear,
    OutOfOrder,
    Fenced,
    Never,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    id: u64,
    generation: u64,
    sequence: i32,
    batch: u32,
}

struct World {
    window: Window<u32>,
    log: Log,
    requests: VecDeque<Request>,
    answers: VecDeque<(u64, Answer)>,
    next_batch: u32,
    next_request: u64,
    generation: u64,
    acknowledged: Vec<u32>,
    certainly_not: Vec<u32>,
    unknown: Vec<u32>,
}

impl World {
    fn new() -> Self {
        Self {
            window: window(),
            log: Log::default(),
            requests: VecDeque::new(),
            answers: VecDeque::new(),
            next_batch: 0,
            next_request: 0,
            generation: 1,
            acknowledged: Vec::new(),
            certainly_not: Vec::new(),
            unknown: Vec::new(),
        }
    }

    fn leave(&mut self, entry: &Entry<u32>) {
        let list = if entry.may_be_appended() { &mut self.unknown } else { &mut self.certainly_not };
        list.push(entry.batch);
    }

    fn send(&mut self) {
        let generation = self.window.identity().unwrap().generation;
        let Some(entry) = self.window.next_to_send() else { return };
        let request =
            Request { id: self.next_request, generation, sequence: entry.sequence, batch: entry.batch };
        self.next_request += 1;
        self.window.sent(request.id);
        self.requests.push_back(request);
    }

    fn serve(&mut self) {
        let Some(request) = self.requests.pop_front() else { return };
        let answer = match self.log.produce(request.generation, request.sequence, request.batch) {
            Reply::Appended => Answer::Appended,
            Reply::OutOfOrder => Answer::OutOfOrder,
            Reply::Fenced => Answer::Fenced,
        };
        self.answers.push_back((request.id, answer));
    }

    fn answer(&mut self) {
        let Some((id, answer)) = self.answers.pop_front() else { return };
        match answer {
            Answer::Appended => {
                if let Some(entry) = self.window.acknowledged(id) {
                    self.acknowledged.push(entry.batch);
                }
            }
            Answer::NotNow => drop(self.window.repeat(id, false)),
            Answer::Unclear => drop(self.window.repeat(id, true)),
            Answer::OutOfOrder => drop(self.window.out_of_order(id)),
            Answer::Fenced => drop(self.window.fenced(id)),
            Answer::Never => {
                if let Some(mut entry) = self.window.refused(id) {
                    // This attempt appended nothing; an earlier one may have.
                    entry.sent = None;
                    self.leave(&entry);
                }
            }
        }
    }

    fn renew(&mut self) {
        if self.window.needs_renewal() && !self.window.is_sending() {
            self.generation += 1;
            let identity = Identity { generation: self.generation, ..FIRST };
            for entry in self.window.renew(identity).unwrap_or_default() {
                self.leave(&entry);
            }
        }
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Admit if self.window.has_room() => {
                self.window.admit(self.next_batch, 1);
                self.next_batch += 1;
            }
            Event::Admit => {}
            Event::Send => self.send(),
            Event::Serve => self.serve(),
            Event::RefuseForNow => {
                if let Some(request) = self.requests.pop_front() {
                    self.answers.push_back((request.id, Answer::NotNow));
                }
            }
            Event::Unclear(append) => {
                if let Some(request) = self.requests.pop_front() {
                    if append {
                        self.log.produce(request.generation, request.sequence, request.batch);
                    }
                    self.answers.push_back((request.id, Answer::Unclear));
                }
            }
            Event::RefuseForGood => {
                if let Some(request) = self.requests.pop_front() {
                    self.answers.push_back((request.id, Answer::Never));
                }
            }
            Event::Answer => self.answer(),
            Event::Disconnect(served) => {
                (0..served).for_each(|_| self.serve());
                self.requests.clear();
                self.answers.clear();
                self.window.disconnected();
            }
            Event::GiveUp => {
                let mut first = true;
                for entry in self.window.give_up(|_| std::mem::take(&mut first)) {
                    self.leave(&entry);
                }
            }
            Event::Renew => self.renew(),
        }
    }

    /// Everything is answered in the end.
    fn settle(&mut self) {
        for _ in 0..100 {
            self.send();
            self.serve();
            self.answer();
            self.renew();
        }
        assert!(self.window.is_empty(), "nothing is stuck: {:?}", self.window);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn order_is_kept_without_gaps_or_duplicates(events in events(false)) {
        let mut world = World::new();
        events.into_iter().for_each(|event| world.step(event));
        world.settle();
        let all: Vec<u32> = (0..world.next_batch).collect();
        prop_assert_eq!(&world.log.batches, &all, "each batch once, in order, none missing");
        let mut acknowledged = world.acknowledged.clone();
        acknowledged.sort_unstable();
        prop_assert_eq!(&acknowledged, &all);
        prop_assert!(world.unknown.is_empty() && world.certainly_not.is_empty());
    }

    #[test]
    fn what_the_application_is_told_agrees_with_the_log(events in events(true)) {
        let mut world = World::new();
        events.into_iter().for_each(|event| world.step(event));
        world.settle();
        let mut in_order = world.log.batches.clone();
        in_order.sort_unstable();
        in_order.dedup();
        prop_assert_eq!(&world.log.batches, &in_order, "order kept, nothing twice");
        for batch in &world.acknowledged {
            prop_assert!(world.log.batches.contains(batch), "{} was acknowledged", batch);
        }
        for batch in &world.certainly_not {
            prop_assert!(!world.log.batches.contains(batch), "{} was said not to be appended", batch);
        }
        for batch in 0..world.next_batch {
            let told = [&world.acknowledged, &world.certainly_not, &world.unknown];
            prop_assert_eq!(told.iter().map(|list| list.iter().filter(|told| **told == batch).count()).sum::<usize>(), 1);
        }
    }
}
