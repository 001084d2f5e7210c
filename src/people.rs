//! People and their papers, outside the log: what links them to it, their spreadsheets, and the times they name.

pub mod calendar;
pub mod directory;
pub(crate) mod import;
