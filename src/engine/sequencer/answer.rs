//! Answers on their way back to those who wait.

use tokio::sync::{mpsc, oneshot};

use super::{Accepted, Part, SubmitError};

/// What whoever submitted a sheet is told.
type SubmitResult = Result<Accepted, SubmitError>;

/// Hands out the answers of a commit within the runtime that waits for them. Woken one by one from the writer's threads,
/// each caller would run, and its connection be written to, on its own; so a connection is written to once a commit.
#[derive(Debug, Clone)]
pub struct Desk(mpsc::UnboundedSender<Vec<Answer>>);

/// An answer and where it goes.
#[derive(Debug)]
struct Answer {
    reply: Reply,
    outcome: SubmitResult,
}

impl Desk {
    /// A desk, and its work: a future to be spawned on the runtime whose tasks wait. It ends after the last handle is gone.
    /// What waits in between is bounded by the sequencer's queue: an answer gives its share back when it is handed out.
    pub fn open() -> (Self, impl Future<Output = ()> + Send) {
        let (desk, mut commits) = mpsc::unbounded_channel::<Vec<Answer>>();
        let work = async move {
            while let Some(answers) = commits.recv().await {
                for Answer { reply, outcome } in answers {
                    reply.send(outcome);
                }
            }
        };
        (Self(desk), work)
    }
}

/// Where one sheet's answer goes.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) waiting: oneshot::Sender<SubmitResult>,
    pub(super) desk: Option<Desk>,
    /// The sheet's share of the queue, given back when it is answered.
    pub(super) permit: Part,
}

impl Reply {
    /// Answers at once.
    pub(super) fn send(self, outcome: SubmitResult) {
        // Nobody waits any more: what was recorded is recorded all the same.
        let _gone = self.waiting.send(outcome);
        drop(self.permit);
    }
}

/// The answers of one commit, by desk: as many as the server has runtimes.
#[derive(Debug, Default)]
pub(super) struct Answers(Vec<(Desk, Vec<Answer>)>);

impl Answers {
    /// Keeps an answer for `deliver`; one without a desk goes out at once.
    pub(super) fn add(&mut self, reply: Reply, outcome: SubmitResult) {
        let Some(desk) = &reply.desk else { return reply.send(outcome) };
        match self.0.iter_mut().find(|(known, _)| known.0.same_channel(&desk.0)) {
            Some((_, answers)) => answers.push(Answer { reply, outcome }),
            None => self.0.push((desk.clone(), vec![Answer { reply, outcome }])),
        }
    }

    /// Sends them to the desks.
    pub(super) fn deliver(self) {
        for (desk, answers) in self.0 {
            // The runtime is gone, and with it everybody who waited there.
            let _gone = desk.0.send(answers);
        }
    }
}
