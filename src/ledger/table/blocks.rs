//! Rows in blocks that are copied whole seldom: what changes with every event.
//!
//! A block is the table's own until somebody asks for a copy of all; then both have it, and it is copied when the table writes
//! to it next. In between a write asks nothing of other threads, where [`Pages`](super::Pages) ask at each of three steps.

use std::sync::Arc;

use super::{FixedRow, Rows};

#[derive(Debug)]
enum Block<T> {
    Own(Box<[T]>),
    Shared(Arc<Box<[T]>>),
}

impl<T> Block<T> {
    fn rows(&self) -> &[T] {
        match self {
            Self::Own(rows) => rows,
            Self::Shared(rows) => rows,
        }
    }
}

impl<T: Clone> Block<T> {
    fn rows_mut(&mut self) -> &mut [T] {
        if let Self::Shared(shared) = self {
            // Whoever asked for the copy may be done with it.
            let rows = Arc::try_unwrap(std::mem::take(shared)).unwrap_or_else(|shared| Box::clone(&shared));
            *self = Self::Own(rows);
        }
        match self {
            Self::Own(rows) => rows,
            Self::Shared(_) => &mut [],
        }
    }
}

/// Rows by number.
#[derive(Debug)]
pub struct Blocks<T, const BLOCK: usize> {
    blocks: Vec<Block<T>>,
    length: u32,
}

impl<T, const BLOCK: usize> Default for Blocks<T, BLOCK> {
    fn default() -> Self {
        Self { blocks: Vec::new(), length: 0 }
    }
}

impl<T: Clone, const BLOCK: usize> Clone for Blocks<T, BLOCK> {
    /// Every row. What costs little is [`Blocks::share`].
    fn clone(&self) -> Self {
        let blocks = self.blocks.iter().map(|block| Block::Own(block.rows().into())).collect();
        Self { blocks, length: self.length }
    }
}

impl<T: PartialEq, const BLOCK: usize> PartialEq for Blocks<T, BLOCK> {
    fn eq(&self, other: &Self) -> bool {
        self.length == other.length && self.iter().eq(other.iter())
    }
}

impl<T: Eq, const BLOCK: usize> Eq for Blocks<T, BLOCK> {}

/// Block, and row in it.
const fn place<const BLOCK: usize>(number: u32) -> (usize, usize) {
    #[allow(clippy::as_conversions, reason = "32 bits fit the machine's word")]
    let number = number as usize;
    match (number.checked_div(BLOCK), number.checked_rem(BLOCK)) {
        (Some(block), Some(row)) => (block, row),
        (_, _) => (0, 0),
    }
}

impl<T, const BLOCK: usize> Blocks<T, BLOCK> {
    /// The rows in their order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.blocks().flatten()
    }

    /// The blocks in their order, each with the rows that are in use.
    fn blocks(&self) -> impl Iterator<Item = &[T]> {
        #[allow(clippy::as_conversions, reason = "32 bits fit the machine's word")]
        let mut left = self.length as usize;
        self.blocks.iter().map_while(move |block| {
            let used = left.min(BLOCK);
            left = left.saturating_sub(used);
            block.rows().get(..used).filter(|rows| !rows.is_empty())
        })
    }
}

impl<T: Clone + Default, const BLOCK: usize> Rows for Blocks<T, BLOCK> {
    type Row = T;

    fn len(&self) -> u32 {
        self.length
    }

    fn get(&self, number: u32) -> Option<&T> {
        if number >= self.length {
            return None;
        }
        let (block, row) = place::<BLOCK>(number);
        self.blocks.get(block)?.rows().get(row)
    }

    fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        if number >= self.length {
            return None;
        }
        let (block, row) = place::<BLOCK>(number);
        self.blocks.get_mut(block)?.rows_mut().get_mut(row)
    }

    #[allow(clippy::expect_used, reason = "tables have fewer than 2^32 rows, and a wrong number must stop us")]
    fn push(&mut self, row: T) -> u32 {
        let number = self.length;
        if self.blocks.len() == place::<BLOCK>(number).0 {
            self.blocks.push(Block::Own(vec![T::default(); BLOCK].into()));
        }
        self.length = number.checked_add(1).expect("tables have fewer than 2^32 rows");
        *self.get_mut(number).expect("the row was made") = row;
        number
    }

    fn pop(&mut self) -> Option<T> {
        let last = self.length.checked_sub(1)?;
        let row = self.get_mut(last).map(std::mem::take);
        self.length = last;
        row
    }
}

impl<T: Clone + Default, const BLOCK: usize> Blocks<T, BLOCK> {
    /// A copy that shares the blocks, each until one of the two writes to it.
    #[must_use]
    pub fn share(&mut self) -> Self {
        let share = |block: &mut Block<T>| {
            let shared = match std::mem::replace(block, Block::Own(Box::default())) {
                Block::Own(rows) => Arc::new(rows),
                Block::Shared(shared) => shared,
            };
            *block = Block::Shared(Arc::clone(&shared));
            Block::Shared(shared)
        };
        Self { blocks: self.blocks.iter_mut().map(share).collect(), length: self.length }
    }
}

impl<T: FixedRow + Clone + Default, const BLOCK: usize> Blocks<T, BLOCK> {
    /// The blocks in their order, as bytes.
    pub fn encoded(&self) -> impl Iterator<Item = Vec<u8>> {
        self.blocks().map(super::encoded)
    }

    /// Adds a block of bytes behind the others. Nothing where they are no rows, or the block before isn't full.
    #[must_use]
    pub fn decode(&mut self, bytes: &[u8]) -> Option<()> {
        let (block, row) = place::<BLOCK>(self.length);
        let (rows, used) = super::decoded(bytes, BLOCK)?;
        // Behind a full block, and in nobody's place.
        if row != 0 || self.blocks.len() != block {
            return None;
        }
        self.blocks.push(Block::Own(rows.into()));
        self.length = self.length.checked_add(used)?;
        Some(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]
mod tests {
    use super::*;

    #[test]
    fn a_shared_copy_stays_as_it_was_while_the_table_is_written_to() {
        let mut rows: Blocks<u32, 4> = Blocks::default();
        for number in 0..1_000 {
            assert_eq!(rows.push(number), number);
        }
        let mut copies = Vec::new();
        for round in 0..10 {
            copies.push((round, rows.share()));
            for number in 0..1_000 {
                *rows.get_mut(number).unwrap() += 1;
            }
            if round == 5 {
                copies.clear();
            }
        }
        for (round, copy) in copies {
            assert!(copy.iter().copied().eq(round..round + 1_000), "{round}");
            assert_eq!((copy.len(), copy.get(1_000)), (1_000, None));
        }
        assert!(rows.iter().copied().eq(10..1_010) && rows.clone() == rows);
        for _ in 0..999 {
            rows.pop().unwrap();
        }
        assert_eq!((rows.push(7), rows.get(1), rows.get(2)), (1, Some(&7), None));
    }
}
