//! [Trust policies] of C2SP: which ledgers and witnesses count, and how many of them make a checkpoint good enough.
//!
//! ```text
//! log <vkey> [<url>]
//! witness <name> <vkey> [<url>]
//! group <name> all|any|<k> <name>...
//! quorum <name>|none
//! ```
//!
//! [Trust policies]: https://c2sp.org/tlog-policy

use std::fmt;

use super::{
    VerifierKey, VerifierKeyError, WitnessKey,
    cosignature::{self, CosignatureError},
    note::{Note, NoteError},
};

/// Bytes of a policy: twice the 32 logs, witnesses and groups that every implementation should take, each in a line of
/// some 300 bytes.
pub const POLICY_BYTES_MAX: usize = 64 * 1_024;

/// Why a policy can't be used: the first line that is wrong, counted from 1, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the policy: {problem}")]
pub struct PolicyError {
    /// The line; one after the last where something is missing.
    pub line: usize,
    /// What is wrong.
    pub problem: PolicyProblem,
}

/// What is wrong with a line of a policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyProblem {
    /// Too long to be looked at.
    #[error("the policy has more than {POLICY_BYTES_MAX} bytes")]
    TooLarge,
    /// Something else than text, tabs and newlines.
    #[error("it has a control character")]
    ControlCharacter,
    /// The last line has no newline: cut off.
    #[error("it does not end in a newline")]
    NewlineMissing,
    /// None of the four forms.
    #[error("expected `log VKEY [URL]`, `witness NAME VKEY [URL]`, `group NAME all|any|K NAME...` or `quorum NAME`")]
    Malformed,
    /// Not a key, or one of the other kind.
    #[error(transparent)]
    Key(#[from] VerifierKeyError),
    /// One key can't count twice.
    #[error("its key is in an earlier line, perhaps under another name")]
    KeyRepeated,
    /// A signature names its key by name and hash: of two keys with both in common, one would count as the other's that is
    /// wrong. Four bytes of hash are few enough for somebody to choose a key by.
    #[error(
        "its key is called {name}+{key_hash:08x}, as another one in an earlier line: their signatures can't be told apart"
    )]
    KeyAmbiguous {
        /// What both keys are called.
        name: String,
        /// The four bytes that both keys begin their signatures with, big-endian.
        key_hash: u32,
    },
    /// Witnesses and groups share their names, and `none` is taken.
    #[error("the name {name} is taken")]
    NameTaken {
        /// What the line wants to call its witness or group.
        name: String,
    },
    /// Defined later, or never.
    #[error("no witness or group {name} in the lines before")]
    NameUnknown {
        /// The member or quorum that the line asks for.
        name: String,
    },
    /// A member counts once, in one group.
    #[error("{name} is a member already, and counts only once")]
    MemberRepeated {
        /// The witness or group that an earlier group has, or this one twice.
        name: String,
    },
    /// Not a number from 1 to the number of members.
    #[error("expected all, any or a number from 1 to {members}")]
    ThresholdOutOfRange {
        /// How many there are.
        members: usize,
    },
    /// Which quorum counts would be unclear.
    #[error("there is a quorum already")]
    QuorumRepeated,
    /// Nothing says what is good enough.
    #[error("there is no quorum; `quorum none` asks for no witness")]
    QuorumMissing,
}

/// A ledger of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyLog {
    /// Its key, named as its origin.
    pub key: VerifierKey,
    /// Where it is.
    pub url: Option<String>,
}

/// A witness of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyWitness {
    /// What the policy calls it.
    pub name: String,
    /// Verifies its cosignatures; may have another name than the policy's.
    pub key: WitnessKey,
    /// Where checkpoints are submitted to.
    pub url: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    name: String,
    threshold: usize,
    members: Vec<Member>,
}

/// A witness or a group, by its place among them. A group's members come before it, so there are no circles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group(usize),
}

/// Which witnesses and groups have cosigned a note.
#[derive(Debug, Default)]
struct Tally {
    witnesses: Vec<bool>,
    groups: Vec<bool>,
}

impl Tally {
    fn holds(&self, member: Member) -> bool {
        let cosigned = match member {
            Member::Witness(at) => self.witnesses.get(at),
            Member::Group(at) => self.groups.get(at),
        };
        cosigned == Some(&true)
    }

    fn count(&self, group: &Group) -> usize {
        group.members.iter().filter(|member| self.holds(**member)).count()
    }
}

/// Which ledgers and witnesses count, and how many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WitnessPolicy {
    logs: Vec<PolicyLog>,
    witnesses: Vec<PolicyWitness>,
    groups: Vec<Group>,
    quorum: Option<Member>,
}

/// Why a note isn't good enough. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsatisfied {
    /// The policy names ledgers, and none of them signed.
    #[error("the checkpoint is not signed by a ledger of the policy: {0}")]
    Log(NoteError),
    /// A line in the name of a witness isn't by it.
    #[error(transparent)]
    Cosignature(#[from] CosignatureError),
    /// Too few witnesses.
    #[error("too few witnesses: {rule}; not cosigned by {}", missing.join(", "))]
    QuorumMissed {
        /// What is asked for and what is there.
        rule: String,
        /// The policy's names for the witnesses of the quorum that did not cosign.
        missing: Vec<String>,
    },
}

impl WitnessPolicy {
    /// Reads a policy. Other than in the specification, names and comments are UTF-8.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > POLICY_BYTES_MAX {
            return Err(PolicyError { line: 1, problem: PolicyProblem::TooLarge });
        }
        let (mut policy, mut quorum, mut line) = (Self::default(), false, 0);
        for text in text.split_inclusive('\n') {
            line += 1;
            policy.read_line(text, &mut quorum).map_err(|problem| PolicyError { line, problem })?;
        }
        if quorum { Ok(policy) } else { Err(PolicyError { line: line + 1, problem: PolicyProblem::QuorumMissing }) }
    }

    /// A policy of these witnesses, any of which is enough, named as their keys.
    ///
    /// # Errors
    /// [`PolicyProblem::KeyRepeated`].
    pub fn any_of(witnesses: impl IntoIterator<Item = (WitnessKey, String)>) -> Result<Self, PolicyProblem> {
        let mut policy = Self::default();
        for (key, url) in witnesses {
            policy.add_witness(key.name().to_owned(), key, Some(url))?;
        }
        let members = (0..policy.witnesses.len()).map(Member::Witness).collect();
        policy.groups.push(Group { name: "all witnesses".to_owned(), threshold: 1, members });
        policy.quorum = (!policy.witnesses.is_empty()).then_some(Member::Group(0));
        Ok(policy)
    }

    /// The ledgers that count; none where others say which one.
    #[must_use]
    pub fn logs(&self) -> &[PolicyLog] {
        &self.logs
    }

    /// All witnesses, those that the quorum doesn't need included.
    #[must_use]
    pub fn witnesses(&self) -> &[PolicyWitness] {
        &self.witnesses
    }

    /// Checks a note, and names the witnesses that cosigned it.
    ///
    /// One line in the name of a witness that isn't by it spoils the whole note, as signed-note wants it of whoever verifies:
    /// who put a wrong line in may have changed other things. A ledger doesn't let it come to that, see
    /// [`below`](cosignature::below).
    ///
    /// # Errors
    /// In the order of [`Unsatisfied`].
    pub fn satisfied(&self, note: &Note<'_>) -> Result<Vec<&str>, Unsatisfied> {
        if !self.logs.is_empty() {
            let keys: Vec<VerifierKey> = self.logs.iter().map(|log| log.key.clone()).collect();
            note.verify(&keys).map_err(Unsatisfied::Log)?;
        }
        let tally = self.tally(note)?;
        if let Some(quorum) = self.quorum.filter(|quorum| !tally.holds(*quorum)) {
            let missing = self.missing(quorum, &tally);
            return Err(Unsatisfied::QuorumMissed { rule: self.rule(quorum, &tally), missing });
        }
        let names = self.witnesses.iter().zip(&tally.witnesses).filter(|(_, cosigned)| **cosigned);
        Ok(names.map(|(witness, _)| witness.name.as_str()).collect())
    }

    fn tally(&self, note: &Note<'_>) -> Result<Tally, CosignatureError> {
        let mut tally = Tally::default();
        for witness in &self.witnesses {
            tally.witnesses.push(cosignature::cosigned(note, &witness.key)?.is_some());
        }
        for group in &self.groups {
            tally.groups.push(tally.count(group) >= group.threshold);
        }
        Ok(tally)
    }

    /// The witnesses below a member that could still help it.
    fn missing(&self, member: Member, tally: &Tally) -> Vec<String> {
        let (mut missing, mut open) = (Vec::new(), vec![member]);
        while let Some(member) = open.pop() {
            match member {
                _held if tally.holds(member) => {}
                Member::Witness(at) => missing.extend(self.witnesses.get(at).map(|witness| witness.name.clone())),
                Member::Group(at) => {
                    let members = self.groups.get(at).map(|group| group.members.as_slice()).unwrap_or_default();
                    open.extend(members.iter().rev());
                }
            }
        }
        missing
    }

    fn rule(&self, member: Member, tally: &Tally) -> String {
        match member {
            Member::Witness(_) => "1 of 1 is needed, 0 are there".to_owned(),
            Member::Group(at) => self.groups.get(at).map_or_else(String::new, |group| {
                let (needed, members, found) = (group.threshold, group.members.len(), tally.count(group));
                format!("{needed} of {members} in {} are needed, {found} are there", group.name)
            }),
        }
    }

    fn read_line(&mut self, line: &str, quorum: &mut bool) -> Result<(), PolicyProblem> {
        let line = line.strip_suffix('\n').ok_or(PolicyProblem::NewlineMissing)?;
        if line.bytes().any(|byte| byte != b'\t' && byte.is_ascii_control()) {
            return Err(PolicyProblem::ControlCharacter);
        }
        let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        let url = |rest: &[&str]| match rest {
            [] => Ok(None),
            [url] => Ok(Some((*url).to_owned())),
            _ => Err(PolicyProblem::Malformed),
        };
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", key, rest @ ..] => self.add_log(key.parse()?, url(rest)?),
            ["witness", name, key, rest @ ..] => self.add_witness((*name).to_owned(), key.parse()?, url(rest)?),
            ["group", name, threshold, members @ ..] if !members.is_empty() => self.add_group(name, threshold, members),
            ["quorum", name] => {
                if std::mem::replace(quorum, true) {
                    return Err(PolicyProblem::QuorumRepeated);
                }
                self.quorum = if *name == "none" { None } else { Some(self.member(name)?) };
                Ok(())
            }
            _ => Err(PolicyProblem::Malformed),
        }
    }

    fn add_log(&mut self, key: VerifierKey, url: Option<String>) -> Result<(), PolicyProblem> {
        if self.logs.iter().any(|log| log.key.public_key() == key.public_key()) {
            return Err(PolicyProblem::KeyRepeated);
        }
        self.check_distinct(key.name(), key.key_hash())?;
        self.logs.push(PolicyLog { key, url });
        Ok(())
    }

    fn add_witness(&mut self, name: String, key: WitnessKey, url: Option<String>) -> Result<(), PolicyProblem> {
        if self.witnesses.iter().any(|witness| witness.key.public_key() == key.public_key()) {
            return Err(PolicyProblem::KeyRepeated);
        }
        self.check_distinct(key.name(), key.key_hash())?;
        self.check_free(&name)?;
        self.witnesses.push(PolicyWitness { name, key, url });
        Ok(())
    }

    fn add_group(&mut self, name: &str, threshold: &str, names: &[&str]) -> Result<(), PolicyProblem> {
        self.check_free(name)?;
        let mut members = Vec::with_capacity(names.len());
        for name in names {
            let member = self.member(name)?;
            let taken = self.groups.iter().any(|group| group.members.contains(&member));
            if taken || members.contains(&member) {
                return Err(PolicyProblem::MemberRepeated { name: (*name).to_owned() });
            }
            members.push(member);
        }
        let threshold = match threshold {
            "all" => Some(members.len()),
            "any" => Some(1),
            number => number.parse().ok().filter(|_| number.bytes().all(|byte| byte.is_ascii_digit())),
        };
        let threshold = threshold.filter(|threshold| (1..=members.len()).contains(threshold));
        let threshold = threshold.ok_or(PolicyProblem::ThresholdOutOfRange { members: members.len() })?;
        self.groups.push(Group { name: name.to_owned(), threshold, members });
        Ok(())
    }

    fn find(&self, name: &str) -> Option<Member> {
        let witness = self.witnesses.iter().position(|witness| witness.name == name).map(Member::Witness);
        witness.or_else(|| self.groups.iter().position(|group| group.name == name).map(Member::Group))
    }

    fn member(&self, name: &str) -> Result<Member, PolicyProblem> {
        self.find(name).ok_or_else(|| PolicyProblem::NameUnknown { name: name.to_owned() })
    }

    /// No other key answers to this name and hash.
    fn check_distinct(&self, name: &str, key_hash: u32) -> Result<(), PolicyProblem> {
        let logs = self.logs.iter().map(|log| (log.key.name(), log.key.key_hash()));
        let witnesses = self.witnesses.iter().map(|witness| (witness.key.name(), witness.key.key_hash()));
        if logs.chain(witnesses).any(|other| other == (name, key_hash)) {
            return Err(PolicyProblem::KeyAmbiguous { name: name.to_owned(), key_hash });
        }
        Ok(())
    }

    fn check_free(&self, name: &str) -> Result<(), PolicyProblem> {
        if name == "none" || self.find(name).is_some() {
            return Err(PolicyProblem::NameTaken { name: name.to_owned() });
        }
        Ok(())
    }
}

impl fmt::Display for PolicyWitness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.url {
            Some(url) => write!(f, "{} ({url})", self.name),
            None => write!(f, "{}", self.name),
        }
    }
}

#[cfg(test)]
mod tests;
