//! The table of regions.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    account::Region,
    table::{Index, Pages, Rows, Table},
    units::Code,
};

/// Regions of a page: a ledger has up to some thousands.
const REGIONS_PAGE: usize = 256;

/// The regions of one version, in the order of definition.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Region>", into = "Vec<Region>")]
pub struct Regions {
    rows: Table<Pages<Region, REGIONS_PAGE>>,
    index: Arc<Index>,
}

impl PartialEq for Regions {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows
    }
}

impl From<Vec<Region>> for Regions {
    fn from(rows: Vec<Region>) -> Self {
        let mut regions = Self::default();
        for region in rows {
            regions.define(region);
        }
        regions.settle();
        regions
    }
}

impl From<Regions> for Vec<Region> {
    fn from(regions: Regions) -> Self {
        regions.iter().cloned().collect()
    }
}

impl Regions {
    /// How many regions there are.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.rows.rows().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A region.
    #[must_use]
    pub fn get(&self, number: u32) -> Option<&Region> {
        self.rows.get(number)
    }

    /// All regions.
    pub fn iter(&self) -> impl Iterator<Item = &Region> {
        self.rows.rows().iter()
    }

    /// The number of a region.
    #[must_use]
    pub fn number(&self, code: &Code) -> Option<u32> {
        self.index.find(self.index.hash(code), |number| self.get(number).is_some_and(|region| region.code == *code))
    }

    pub(super) fn define(&mut self, region: Region) {
        let number = self.rows.push(region);
        self.name(number);
    }

    fn name(&self, number: u32) {
        let hash_of = |number| self.get(number).map_or(0, |region| self.index.hash(&region.code));
        self.index.insert(hash_of(number), number, hash_of);
    }

    pub(super) fn settle(&mut self) {
        self.rows.settle();
    }

    pub(super) fn roll_back(&mut self) {
        let Self { rows, index } = self;
        rows.roll_back(|number, region| index.remove(index.hash(&region.code), number));
    }

    pub(super) fn apart(&self) -> Self {
        Vec::from(self.clone()).into()
    }
}
