//! What the terminal or the system asks of a command while it works.

use tokio::sync::mpsc;

/// A wish from outside.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// Ctrl-c: the task is to come to its end.
    Interrupt,
    /// The process is to end; the task goes on at the next start.
    Terminate,
    /// The terminal has gone; a server is to read its configuration again.
    Reload,
}

/// The wishes, in their order.
pub struct Signals(mpsc::UnboundedReceiver<Signal>);

impl Signals {
    /// A sender, and where what it sends arrives.
    pub fn new() -> (mpsc::UnboundedSender<Signal>, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (sender, Self(receiver))
    }

    /// The next; never, where nobody is left who could send one.
    pub async fn next(&mut self) -> Signal {
        match self.0.recv().await {
            Some(signal) => signal,
            None => std::future::pending().await,
        }
    }
}
