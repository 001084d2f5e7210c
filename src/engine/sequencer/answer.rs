//! Answers on their way back to those who wait.

use tokio::sync::mpsc;

use super::{Accepted, Submission, SubmitError};

/// What whoever submitted a sheet is told.
pub(super) type SubmitResult = Result<Accepted, SubmitError>;

/// Hands out the answers of a commit within the runtime that waits for them. Woken one by one from the writer's threads,
/// each caller would run, and its connection be written to, on its own; so a connection is written to once a commit. What was
/// made for a sheet goes back with its answer, and ends where it began: the writer's threads would use its memory again for
/// what stays, and keep all that was around it.
#[derive(Debug, Clone)]
pub struct Desk(mpsc::UnboundedSender<Vec<Answer>>);

/// A sheet, and what became of it.
#[derive(Debug)]
struct Answer {
    submission: Box<Submission>,
    outcome: SubmitResult,
}

impl Desk {
    /// A desk, and its work: a future to be spawned on the runtime whose tasks wait. It ends after the last handle is gone.
    /// What waits in between is bounded by the sequencer's queue: an answer gives its share back when it is handed out.
    pub fn open() -> (Self, impl Future<Output = ()> + Send) {
        let (desk, mut commits) = mpsc::unbounded_channel::<Vec<Answer>>();
        let work = async move {
            while let Some(answers) = commits.recv().await {
                for Answer { submission, outcome } in answers {
                    submission.answer(outcome);
                }
            }
        };
        (Self(desk), work)
    }
}

/// The answers of one commit, by desk: as many as the server has runtimes.
#[derive(Debug, Default)]
pub(super) struct Answers(Vec<(Desk, Vec<Answer>)>);

impl Answers {
    /// Keeps an answer for `deliver`; one without a desk goes out at once.
    pub(super) fn add(&mut self, submission: Box<Submission>, outcome: SubmitResult) {
        let Some(desk) = &submission.desk else { return submission.answer(outcome) };
        match self.0.iter_mut().find(|(known, _)| known.0.same_channel(&desk.0)) {
            Some((_, answers)) => answers.push(Answer { submission, outcome }),
            None => self.0.push((desk.clone(), vec![Answer { submission, outcome }])),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

    use std::sync::Arc;

    use tokio::sync::oneshot;

    use super::{super::tests::submission, *};

    #[tokio::test]
    async fn what_was_made_for_a_sheet_ends_where_its_answer_is_handed_out() {
        let (desk, work) = Desk::open();
        let (waiting, answer) = oneshot::channel();
        let mut submission = submission(waiting);
        submission.desk = Some(desk);
        let decoded = Arc::downgrade(&submission.decoded);
        let mut answers = Answers::default();
        answers.add(submission, Err(SubmitError::ShuttingDown));
        answers.deliver();
        assert!(decoded.upgrade().is_some());
        // No desk is left but those of answers.
        work.await;
        assert!(matches!(answer.await.unwrap(), Err(SubmitError::ShuttingDown)));
        assert!(decoded.upgrade().is_none());
    }
}
