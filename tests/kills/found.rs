//! What was found, kind by kind.

use std::collections::BTreeMap;

use super::fault::{Fault, Outcome};

/// Of one kind of fault.
#[derive(Debug, Default)]
pub struct Count {
    pub rounds: usize,
    /// Rounds in which it went on.
    pub went_on: usize,
    /// Of these, those in which no call happened to fail.
    pub unmet: usize,
    /// Rounds in which it ended by itself, by exit code.
    pub ended_with: BTreeMap<i32, usize>,
    pub acknowledged: usize,
    pub unanswered: usize,
    /// Sheets that are lost, changed, or not taken again.
    pub lost: usize,
}

/// Of a whole campaign.
#[derive(Debug, Default)]
pub struct Found {
    pub counts: BTreeMap<Fault, Count>,
    pub starts: usize,
    /// What is wrong, each in words.
    pub faults: Vec<String>,
}

impl Found {
    pub fn add(&mut self, fault: Fault, outcome: Outcome, (acknowledged, unanswered): (usize, usize)) {
        let count = self.counts.entry(fault).or_default();
        count.rounds += 1;
        count.acknowledged += acknowledged;
        count.unanswered += unanswered;
        match outcome {
            Outcome::WentOn { met } => {
                count.went_on += 1;
                count.unmet += usize::from(!met);
            }
            Outcome::EndedWith(code) => *count.ended_with.entry(code).or_default() += 1,
            Outcome::WasEnded => {}
        }
    }

    pub fn lose(&mut self, fault: Fault, faults: Vec<String>) {
        self.counts.entry(fault).or_default().lost += faults.len();
        self.faults.extend(faults);
    }

    /// Faults that no server has met: they say nothing.
    pub fn unmet(&self) -> Vec<Fault> {
        let is_met = |fault: &Fault| {
            self.counts.get(fault).is_some_and(|count| {
                let ended: usize = count.ended_with.values().sum();
                if fault.ends() { ended > 0 } else { count.rounds > count.unmet }
            })
        };
        Fault::ALL.into_iter().filter(|fault| !is_met(fault)).collect()
    }

    pub fn table(&self) -> String {
        let mut lines = vec![
            "| what befell it | rounds | went on | of these, nothing failed | ended by itself | acknowledged | unanswered | lost or changed |"
                .to_owned(),
            "|---|---|---|---|---|---|---|---|".to_owned(),
        ];
        let mut sum = Count::default();
        for (fault, count) in &self.counts {
            sum.rounds += count.rounds;
            sum.went_on += count.went_on;
            sum.unmet += count.unmet;
            sum.acknowledged += count.acknowledged;
            sum.unanswered += count.unanswered;
            sum.lost += count.lost;
            for (code, rounds) in &count.ended_with {
                *sum.ended_with.entry(*code).or_default() += rounds;
            }
            lines.push(line(fault.name(), count));
        }
        lines.push(line("all", &sum));
        lines.join("\n")
    }
}

fn line(name: &str, count: &Count) -> String {
    let codes: Vec<String> = count.ended_with.iter().map(|(code, rounds)| format!("{rounds} with {code}")).collect();
    let codes = if codes.is_empty() { "0".to_owned() } else { codes.join(", ") };
    let Count { rounds, went_on, unmet, acknowledged, unanswered, lost, .. } = count;
    format!("| {name} | {rounds} | {went_on} | {unmet} | {codes} | {acknowledged} | {unanswered} | {lost} |")
}
