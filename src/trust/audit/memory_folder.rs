//! What there is to say where audits are remembered, or can't be.

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
