//! Notices as they occur: a long poll of `/v1/notices` (`pebble §15`).

use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::http::CONNECTION;
use crate::queue::{Item, Queue, closed};
use crate::readiness::Readiness;
use crate::{Client, Error, Notice, NoticeFilter, QUEUE, Timestamp};

/// Memory that a notice takes beside its texts, in bytes.
const ENTRY: usize = 256;

impl Item for Notice {
    fn size(&self) -> usize {
        let data: usize = self
            .last_data
            .iter()
            .map(|(k, v)| k.len() + v.len() + ENTRY)
            .sum();
        self.key.len() + self.kind.len() + data + ENTRY
    }
}

/// The notices that occur or are repeated, from the time on at which this was
/// opened.
///
/// A task of the runtime receives them while the caller waits for anything else.
pub struct NoticeWatch {
    queue: Arc<Queue<Notice>>,
    task: JoinHandle<()>,
}

impl Client {
    /// Reads notices as they occur, from now on.
    pub async fn watch_notices(&self, filter: NoticeFilter) -> Result<NoticeWatch, Error> {
        // The last of the daemon's own times, as its clock may be another.
        let known = self.notices(&filter).await?;
        let last = known.iter().map(|notice| notice.last_repeated).max();
        let queue = Queue::new();
        let (client, received) = (self.clone(), queue.clone());
        let task = tokio::spawn(async move {
            if let Err(error) = client.watch(&filter, last, &received).await {
                received.end(Err(error));
            }
        });
        Ok(NoticeWatch { queue, task })
    }

    /// Adds notices to a queue until that is closed, or the daemon fails.
    async fn watch(
        &self,
        filter: &NoticeFilter,
        mut last: Option<Timestamp>,
        queue: &Queue<Notice>,
    ) -> Result<(), Error> {
        loop {
            queue.room().await?;
            for notice in self.notices_after(filter, last, self.silence()).await? {
                last = last.max(Some(notice.last_repeated));
                queue.add(notice);
            }
        }
    }
}

impl NoticeWatch {
    /// The most bytes that one reader buffers, beside one response.
    pub const CAPACITY: usize = CONNECTION + QUEUE;

    /// Returns the notices since the last call, at least one, in the order in which
    /// they were last repeated. Waits until there is one.
    pub async fn read(&self) -> Result<Vec<Notice>, Error> {
        let mut notices = Vec::new();
        notices.extend(self.queue.next().await?);
        while let Some(notice) = self.queue.try_next() {
            notices.push(notice);
        }
        Ok(notices)
    }

    /// When [`NoticeWatch::read`] would not wait.
    pub fn readiness(&self) -> Readiness {
        self.queue.readable()
    }
}

impl Drop for NoticeWatch {
    fn drop(&mut self) {
        self.task.abort();
        self.queue.close(closed());
    }
}
