//! A mapping for a file that nobody has described yet: guessed from the words of its header and from its cells, with
//! what was left out, what is unsure, and how its rows would be read.
//!
//! The file is laid out ([`layout`]), its columns are surveyed ([`survey`]), then who, when and what are chosen
//! ([`people`], [`when`], [`category`], [`rules`], [`key`]) into a [`draft`], which is written as TOML and read back.

mod category;
mod dates;
mod draft;
mod key;
mod kind;
mod layout;
mod open;
mod people;
mod preview;
mod rules;
mod survey;
mod when;
mod words;

use std::path::Path;

pub(crate) use self::preview::{Preview, Shown};
use self::{draft::Draft, survey::Survey};

/// A mapping, and what has to be known about it.
#[derive(Debug)]
pub(crate) struct Suggestion {
    /// TOML with comments. Where something is missing, it can't be read yet.
    pub(crate) mapping: String,
    /// What whoever imports should look at, a line each.
    pub(crate) unsure: Vec<String>,
    /// What wasn't found, without which there is no mapping.
    pub(crate) missing: Vec<String>,
    /// The rows under the mapping; none where something is missing.
    pub(crate) preview: Option<Preview>,
    /// A sentence about a program that has the file open.
    pub(crate) open_in: Option<String>,
}

/// Looks at a file and writes a mapping for it.
///
/// # Errors
/// The file can't be read, in words.
pub(crate) fn suggest(path: &Path, sheet: Option<&str>) -> Result<Suggestion, String> {
    let opened = open::open(path, sheet)?;
    let mut draft = Draft::new(path, &opened);
    let has_rows = {
        let survey = Survey::new(&opened.grid.rows);
        fill(&mut draft, &survey);
        !survey.layout.rows.is_empty()
    };
    let open_in = opened.grid.open_in.clone();
    let mapping = draft.write();
    let mut missing = draft.missing.clone();
    let preview = match super::mapping::Mapping::parse(&mapping) {
        Ok(parsed) if missing.is_empty() && has_rows => match preview::preview(opened.grid, &parsed) {
            Ok(preview) => Some(preview),
            Err(problem) => {
                missing.push(problem);
                None
            }
        },
        Ok(_) => None,
        Err(problem) => {
            if missing.is_empty() {
                missing.push(problem);
            }
            None
        }
    };
    Ok(Suggestion { mapping, unsure: draft.unsure, missing, preview, open_in })
}

/// Chooses what each column is. The order counts: what is read from rows follows from who and when.
fn fill(draft: &mut Draft, survey: &Survey<'_>) {
    draft.lay_out(survey);
    if survey.layout.rows.is_empty() {
        draft.missing.push("rows of data: the file has a header alone".to_owned());
    }
    rules::status(draft, survey);
    rules::operation(draft, survey);
    people::volunteer(draft, survey);
    when::when(draft, survey);
    people::station(draft, survey);
    category::category(draft, survey);
    rules::fill_down(draft, survey);
    key::record(draft, survey);
    when::details(draft, survey);
    rules::unread_states(draft, survey);
    draft.rename(survey);
}
