//! What readers are told: events, rows of histories, kinds and states in words, and the heads of tables; in English and in
//! Chinese. Whoever shows them, a terminal or a page, knows the reader's language, names and zone.

pub mod describe;
pub mod history;
pub mod names;
pub mod when;
