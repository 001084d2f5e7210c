//! Where audits are remembered, and what there is to say where they can't be.

use std::path::PathBuf;

/// The folder in which audits of any number of ledgers are remembered.
#[derive(Debug, Clone)]
pub enum MemoryFolder {
    /// The auditor named it: it has to serve.
    Named(PathBuf),
    /// It is the one of a person who named none. Where it doesn't serve, an audit goes on without it.
    OfPerson(PathBuf),
    /// It is only read, and why nothing is written to it.
    LeftAlone(PathBuf, String),
    /// There is none, and why.
    Nowhere(String),
}

impl MemoryFolder {
    /// The same folder, to be read alone, after the files that an audit makes there failed: a disk may be full. An audit
    /// without them takes longer, and comes to the same verdict. None where nothing was written there.
    pub(super) fn left_alone(&self, problem: &dyn std::fmt::Display) -> Option<Self> {
        match self {
            Self::Named(folder) | Self::OfPerson(folder) => {
                Some(Self::LeftAlone(folder.clone(), format!("{}: {problem}", folder.display())))
            }
            Self::LeftAlone(..) | Self::Nowhere(_) => None,
        }
    }
}

/// What an audit says of its memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryCondition {
    /// The next audit will know what this one verified.
    pub is_kept: bool,
    /// What is wrong with the memory, with paths.
    pub problems: Vec<String>,
}

impl MemoryCondition {
    /// All that is wrong, in one line; none where nothing is.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        (!self.problems.is_empty()).then(|| self.problems.join("; "))
    }
}
