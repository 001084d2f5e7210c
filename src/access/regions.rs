//! Regions.

use super::{
    failure::ReadError,
    page::Reflected,
    reader::{Permission, Reader},
    reads::Reads,
};
use crate::ledger::{Code, LogIndex};

/// A district, a street, a community.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Unique in the ledger.
    pub code: Code,
    /// The region that it lies in.
    pub parent: Option<Code>,
}

impl Reads {
    /// All regions, up to 10,000, in the order in which they were defined.
    ///
    /// # Errors
    /// [`ReadError::NotPermitted`].
    pub fn regions(&self, reader: Reader) -> Result<Reflected<Vec<Region>>, ReadError> {
        reader.check(Permission::Local)?;
        let version = self.version();
        let code = |number: u32| version.region(number).map(|region| region.code.clone());
        let regions = version.regions().iter();
        let answer = regions.map(|region| Region { code: region.code.clone(), parent: region.parent.and_then(code) });
        Ok(Reflected { answer: answer.collect(), reflected_index: LogIndex(version.reflected_index()) })
    }
}
