//! What people write into the cells of a spreadsheet: amounts of time, dates, clock times, spans, UTC offsets and ids.
//!
//! Each reader takes the text of one cell and gives what it says, or a sentence for whoever keeps the sheet: what was
//! found, what is expected, what to set in the mapping. A text that can honestly mean two things is refused, with the
//! way to say either. Nothing here knows a column's name, the reader's own zone or the time that it is.

pub(crate) mod amount;
pub(crate) mod clock;
pub(crate) mod date;
pub(crate) mod local;
pub(crate) mod moment;
pub(crate) mod offset;
mod pattern;
mod scan;
mod serial;
pub(crate) mod span;
pub(crate) mod text;

#[cfg(test)]
mod tests;
