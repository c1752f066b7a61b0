//! A limited queue between a caller and the task that drives a stream.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Bytes, BytesMut};

use crate::readiness::{Readiness, Side, Source};
use crate::{CHUNK, Error, QUEUE};

/// The most items in a queue, however small they are.
const MAX_ITEMS: usize = 1024;

/// The most bytes of an item that others are added to.
const SHORT: usize = 4096;

/// What a queue holds.
pub trait Item: Send + 'static {
    /// Its size in bytes.
    fn size(&self) -> usize;
}

impl Item for Bytes {
    fn size(&self) -> usize {
        self.len()
    }
}

/// A queue with one writer and one reader. One of them is a task.
///
/// It has room while its items have less than [`QUEUE`] bytes. The item for which
/// there was room may be larger.
pub struct Queue<T>(Mutex<State<T>>);

struct State<T> {
    items: VecDeque<T>,
    size: usize,
    /// How the writer ended.
    ended: Option<Result<(), Error>>,
    /// Why the reader takes no more.
    closed: Option<Error>,
    /// Those who wait for a change.
    wakers: Vec<Waker>,
}

impl<T> State<T> {
    fn has_room(&self) -> bool {
        self.size < QUEUE && self.items.len() < MAX_ITEMS
    }

    fn wait(&mut self, waker: &Waker) {
        if !self.wakers.iter().any(|known| known.will_wake(waker)) {
            self.wakers.push(waker.clone());
        }
    }

    fn take_wakers(&mut self) -> Vec<Waker> {
        mem::take(&mut self.wakers)
    }
}

impl<T: Item> Queue<T> {
    pub fn new() -> Arc<Self> {
        Arc::new(Queue(Mutex::new(State {
            items: VecDeque::new(),
            size: 0,
            ended: None,
            closed: None,
            wakers: Vec::new(),
        })))
    }

    /// When the reader would not wait.
    pub fn readable(self: &Arc<Self>) -> Readiness {
        Readiness::of(self, Side::Reader)
    }

    /// When the writer would not wait.
    pub fn writable(self: &Arc<Self>) -> Readiness {
        Readiness::of(self, Side::Writer)
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State<T>)) {
        let mut state = self.state();
        change(&mut state);
        let wakers = state.take_wakers();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Adds an item, whether there is room or not. One for a reader that takes no
    /// more is dropped.
    pub fn add(&self, item: T) {
        self.change(|state| {
            if state.closed.is_none() {
                state.size += item.size();
                state.items.push_back(item);
            }
        });
    }

    /// Ends the queue after the items that it has. Later ends change nothing.
    pub fn end(&self, result: Result<(), Error>) {
        self.change(|state| {
            state.ended.get_or_insert(result);
        });
    }

    /// Drops the items, and all that is added later.
    pub fn close(&self, reason: Error) {
        self.change(|state| {
            state.items.clear();
            state.size = 0;
            state.closed.get_or_insert(reason);
        });
    }

    pub fn has_ended(&self) -> bool {
        self.state().ended.is_some()
    }

    /// Waits for room. The error is why the reader takes no more.
    pub async fn room(&self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_room(cx)).await
    }

    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let mut state = self.state();
        if let Some(reason) = &state.closed {
            return Poll::Ready(Err(reason.clone()));
        }
        if state.has_room() {
            return Poll::Ready(Ok(()));
        }
        state.wait(cx.waker());
        Poll::Pending
    }

    /// Returns the next item; none at the end.
    pub async fn next(&self) -> Result<Option<T>, Error> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    pub fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Result<Option<T>, Error>> {
        let mut next = Poll::Pending;
        let mut state = self.state();
        if let Some(item) = state.items.pop_front() {
            state.size = state.size.saturating_sub(item.size());
            next = Poll::Ready(Ok(Some(item)));
        } else if state.closed.is_some() {
            next = Poll::Ready(Ok(None));
        } else if let Some(ended) = &state.ended {
            next = Poll::Ready(ended.clone().map(|()| None));
        } else {
            state.wait(cx.waker());
            return next;
        }
        let wakers = state.take_wakers();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        next
    }

    /// Returns the next item that is there.
    pub fn try_next(&self) -> Option<T> {
        match self.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(item)) => item,
            _ => None,
        }
    }

    /// Puts back what the reader did not want of an item.
    pub fn put_back(&self, item: T) {
        self.change(|state| {
            state.size += item.size();
            state.items.push_front(item);
        });
    }
}

impl Queue<Bytes> {
    /// Returns the bytes that are there, at most `max` of them; none at the end.
    pub async fn read(&self, max: usize) -> Result<Bytes, Error> {
        poll_fn(|cx| self.poll_read(cx, max)).await
    }

    pub fn poll_read(&self, cx: &mut Context<'_>, max: usize) -> Poll<Result<Bytes, Error>> {
        let Some(mut first) = ready!(self.poll_next(cx))? else {
            return Poll::Ready(Ok(Bytes::new()));
        };
        if first.len() >= max {
            let rest = first.split_off(max);
            if !rest.is_empty() {
                self.put_back(rest);
            }
            return Poll::Ready(Ok(first));
        }
        if self.is_empty() {
            return Poll::Ready(Ok(first));
        }
        let mut bytes = BytesMut::from(first);
        while bytes.len() < max
            && let Some(mut next) = self.try_next()
        {
            let rest = next.split_off(next.len().min(max - bytes.len()));
            bytes.extend_from_slice(&next);
            if !rest.is_empty() {
                self.put_back(rest);
            }
        }
        Poll::Ready(Ok(bytes.freeze()))
    }

    /// Adds bytes, whether there is room or not. Short ones are added to the last
    /// item, so that the items take little more memory than their bytes.
    pub fn append(&self, bytes: &[u8]) {
        self.change(|state| {
            if state.closed.is_some() {
                return;
            }
            state.size += bytes.len();
            let last = state.items.back_mut();
            match last.filter(|last| last.len() + bytes.len() <= SHORT) {
                Some(last) => *last = [last, bytes].concat().into(),
                None => state.items.push_back(Bytes::copy_from_slice(bytes)),
            }
        });
    }

    /// Adds as many bytes as there is room for, at least one, and returns how many.
    /// Waits until there is room. The error is why no more are taken.
    pub async fn write(&self, bytes: &[u8]) -> Result<usize, Error> {
        if self.has_ended() {
            return Err(closed());
        }
        self.room().await?;
        let room = QUEUE.saturating_sub(self.state().size);
        let mut rest = bytes.get(..room.min(bytes.len())).unwrap_or(bytes);
        let count = rest.len();
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(rest.len().min(CHUNK));
            self.add(Bytes::copy_from_slice(chunk));
            rest = after;
        }
        Ok(count)
    }

    /// Whether the task has taken everything, and more may come.
    pub fn is_idle(&self) -> bool {
        !self.is_ready(Side::Reader, None)
    }

    /// Waits until there is something to take, or the end.
    pub fn poll_fed(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.is_ready(Side::Reader, Some(cx.waker())) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    fn is_empty(&self) -> bool {
        self.state().items.is_empty()
    }
}

impl<T: Item> Source for Queue<T> {
    fn is_ready(&self, side: Side, waker: Option<&Waker>) -> bool {
        let mut state = self.state();
        let is_ready = state.closed.is_some()
            || state.ended.is_some()
            || match side {
                Side::Reader => !state.items.is_empty(),
                Side::Writer => state.has_room(),
            };
        if let Some(waker) = waker.filter(|_| !is_ready) {
            state.wait(waker);
        }
        is_ready
    }
}

/// The error of a stream to which nothing can be added.
pub fn closed() -> Error {
    Error::Closed("cannot write to a stream that was closed".to_owned())
}
