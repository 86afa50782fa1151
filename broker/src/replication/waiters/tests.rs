//! Everything parked leaves once, in order.

use super::*;
use crate::ids::LeaderEpoch;
use parking_lot::Mutex;
use std::sync::mpsc;

fn parked(end: i64) -> Parked {
    let produced = Produced {
        base_offset: Offset(end - 1),
        end_offset: Offset(end),
        append_time_ms: None,
        log_start: Offset::ZERO,
        leader_epoch: LeaderEpoch(0),
    };
    Parked { produced, done: Box::new(|_| {}) }
}

fn ends(waiters: &mut AckWaiters, high_watermark: i64) -> Vec<i64> {
    std::iter::from_fn(|| waiters.pop_committed(Offset(high_watermark)))
        .map(|parked| parked.produced.end_offset.get())
        .collect()
}

#[test]
fn acknowledgements_leave_in_order_of_their_ends() {
    let mut waiters = AckWaiters::default();
    for end in [3, 5, 9, 4, 9, 1] {
        waiters.push(Acks::All, parked(end));
    }
    waiters.push(Acks::Leader, parked(2));
    assert!(ends(&mut waiters, 0).is_empty());
    assert_eq!(ends(&mut waiters, 4), [1, 3, 4]);
    assert_eq!(ends(&mut waiters, 8), [5]);
    assert_eq!(waiters.len(), 3);
    assert!(waiters.pop_own(Offset(1)).is_none());
    assert_eq!(waiters.pop_own(Offset(2)).map(|parked| parked.produced.end_offset), Some(Offset(2)));
    assert_eq!(waiters.drain().count(), 2);
    assert_eq!(waiters.len(), 0);
}

#[derive(Default)]
struct Woken(Mutex<Vec<u64>>);

impl FetchWaker for Woken {
    fn wake(&self, token: u64) {
        self.0.lock().push(token);
    }
}

#[test]
fn a_fetch_is_woken_once_and_only_when_there_is_something_behind_its_offset() {
    let woken = Arc::new(Woken::default());
    let waker: Arc<dyn FetchWaker> = Arc::clone(&woken) as _;
    let mut waiters = FetchWaiters::default();
    for (offset, token) in [(5, 1), (6, 2), (5, 3), (7, 4), (5, 3)] {
        waiters.push(Offset(offset), &waker, token);
    }
    waiters.remove(&waker, 1);
    let mut wakes = Vec::new();
    waiters.take_readable(Offset(5), &mut wakes);
    assert!(wakes.is_empty());
    waiters.take_readable(Offset(7), &mut wakes);
    wakes.drain(..).for_each(Wake::wake);
    assert_eq!(*woken.0.lock(), [2, 3]);
    waiters.take_all(&mut wakes);
    waiters.take_all(&mut wakes);
    wakes.into_iter().for_each(Wake::wake);
    assert_eq!(*woken.0.lock(), [2, 3, 4]);
}

#[test]
fn answers_are_told_in_the_order_of_their_decisions() {
    let outbox = Arc::new(Outbox::default());
    let told = Arc::new(Mutex::new(Vec::new()));
    let (go_on, wait) = mpsc::channel::<()>();
    let (begun, begins) = mpsc::channel();
    let answer = |number: i32, mut meanwhile: Box<dyn FnMut() + Send>| {
        let told = Arc::clone(&told);
        let done: OnProduced = Box::new(move |_| {
            meanwhile();
            told.lock().push(number);
        });
        outbox.push(Completion { done, result: Err(ProduceError::NotLeader) });
    };
    // The first answer takes its time, and hands one in itself.
    let again = Arc::clone(&outbox);
    let told_too = Arc::clone(&told);
    answer(
        1,
        Box::new(move || {
            begun.send(()).expect("somebody listens");
            wait.recv().expect("somebody speaks");
            let told = Arc::clone(&told_too);
            let done: OnProduced = Box::new(move |_| told.lock().push(4));
            again.push(Completion { done, result: Err(ProduceError::NotLeader) });
            again.flush();
        }),
    );
    answer(2, Box::new(|| {}));
    let other = Arc::clone(&outbox);
    let teller = std::thread::spawn(move || other.flush());
    begins.recv().expect("the first answer is being told");
    answer(3, Box::new(|| {}));
    outbox.flush();
    assert!(told.lock().is_empty(), "nothing overtakes the first answer");
    go_on.send(()).expect("the first answer waits");
    teller.join().expect("told");
    assert_eq!(*told.lock(), [1, 2, 3, 4]);
}
