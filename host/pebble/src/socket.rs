//! Byte streams to the daemon, for callers that speak its protocol themselves.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::timeout;

use crate::budget::{Account, Budget};
use crate::connect::{self, Connect, Stream};
use crate::queue::{Queue, closed};
use crate::readiness::{Readiness, let_tasks_run};
use crate::{CHUNK, Error, QUEUE};

/// How long the daemon may take nothing of what is left to send after a connection
/// was dropped.
const LINGER: Duration = Duration::from_secs(5);

/// An open connection. It is closed when this is dropped; what was written before
/// is still sent.
///
/// A task of the runtime receives what the daemon sends, whether the caller reads
/// it or not, up to a budget.
pub struct Connection {
    incoming: Arc<Queue<Bytes>>,
    outgoing: Arc<Queue<Bytes>>,
    received: Arc<Account>,
    receiver: JoinHandle<()>,
}

impl Connection {
    /// The most bytes that one connection buffers, beside those of the budget.
    pub const CAPACITY: usize = QUEUE + 2 * CHUNK;

    /// Connects to a daemon. What is received and not read counts against the
    /// budget.
    ///
    /// # Errors
    ///
    /// [`Error::NotReady`] and [`Error::Timeout`].
    pub async fn open(
        connector: &dyn Connect,
        limit: Duration,
        budget: Arc<dyn Budget>,
    ) -> Result<Self, Error> {
        let connected = within(
            Some(limit),
            "connect to Pebble",
            connect::connect(connector),
        );
        let stream = connected.await?.map_err(|error| Error::NotReady {
            address: connector.address().to_path_buf(),
            reason: error.to_string(),
        })?;
        let (reading, writing) = split(stream);
        let (incoming, outgoing) = (Queue::new(), Queue::new());
        let received = Arc::new(Account::new(budget));
        tokio::spawn(send(writing, outgoing.clone()));
        let (to, other, account) = (incoming.clone(), outgoing.clone(), received.clone());
        let receiver = tokio::spawn(async move {
            let result = receive(reading, &to, &account).await;
            if let Err(error) = &result {
                other.close(error.clone());
            }
            to.end(result);
        });
        Ok(Connection {
            incoming,
            outgoing,
            received,
            receiver,
        })
    }

    /// Returns the bytes that were received, at most `max`; none at the end. Waits
    /// until there are some.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`], [`Error::Closed`] if the connection was reset, and
    /// [`Error::Memory`] if the budget was used up.
    pub async fn read(&self, max: usize, limit: Option<Duration>) -> Result<Bytes, Error> {
        let bytes = within(limit, "read from Pebble", self.incoming.read(max)).await??;
        self.received.release(bytes.len());
        Ok(bytes)
    }

    /// Takes as many bytes as there is room for, at least one, and returns how
    /// many. Waits until there is room.
    ///
    /// # Errors
    ///
    /// [`Error::Timeout`], and [`Error::Closed`] if this side was finished or the
    /// connection was reset.
    pub async fn write(&self, bytes: &[u8], limit: Option<Duration>) -> Result<usize, Error> {
        within(limit, "write to Pebble", self.outgoing.write(bytes)).await?
    }

    /// Ends this side once all is sent. Returns [`Error::Closed`] if it was ended
    /// before.
    pub fn finish(&self) -> Result<(), Error> {
        if self.outgoing.has_ended() {
            return Err(closed());
        }
        self.outgoing.end(Ok(()));
        Ok(())
    }

    /// When [`Connection::read`] would not wait.
    pub fn readable(&self) -> Readiness {
        self.incoming.readable()
    }

    /// When [`Connection::write`] would not wait.
    pub fn writable(&self) -> Readiness {
        self.outgoing.writable()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.receiver.abort();
        self.incoming.close(closed());
        self.outgoing.end(Ok(()));
    }
}

/// Waits for work, with a limit if there is one.
async fn within<T>(
    limit: Option<Duration>,
    doing: &str,
    work: impl Future<Output = T>,
) -> Result<T, Error> {
    let Some(limit) = limit else {
        return Ok(work.await);
    };
    // Otherwise nothing could ever be there without a wait.
    let_tasks_run().await;
    timeout(limit, work).await.map_err(|_| Error::Timeout {
        doing: doing.to_owned(),
        limit,
        change: None,
    })
}

async fn receive(
    mut stream: ReadHalf<Stream>,
    queue: &Queue<Bytes>,
    account: &Account,
) -> Result<(), Error> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let count = stream.read(&mut buffer).await.map_err(reset)?;
        let Some(bytes @ [_, ..]) = buffer.get(..count) else {
            return Ok(());
        };
        account.hold(count)?;
        queue.append(bytes);
        // The caller reads what is there before more is held for it.
        yield_now().await;
    }
}

async fn send(mut stream: WriteHalf<Stream>, queue: Arc<Queue<Bytes>>) {
    while let Ok(chunk) = queue.read(CHUNK).await {
        if chunk.is_empty() {
            let _ = stream.shutdown().await;
            return;
        }
        let mut sending = pin!(stream.write_all(&chunk));
        let sent = loop {
            match timeout(LINGER, sending.as_mut()).await {
                Ok(sent) => break sent,
                // The connection was dropped.
                Err(_) if Arc::strong_count(&queue) == 1 => return,
                Err(_) => {}
            }
        };
        if let Err(error) = sent {
            return queue.close(reset(error));
        }
    }
}

fn reset(error: io::Error) -> Error {
    Error::Closed(format!("the connection to Pebble was reset: {error}"))
}
