//! A mapping as it comes together, by columns' positions, and what there is to say about it.

use std::path::Path;

use super::{
    super::mapping::Field,
    layout::{is_named, short},
    open::Opened,
    survey::{Column, Survey},
    words::Role,
};

mod write;

/// Longest name of a source, in bytes.
const SOURCE_BYTES_MAX: usize = 64;

/// A field and the columns it is read from.
#[derive(Debug)]
pub(super) struct Given {
    pub(super) field: Field,
    pub(super) columns: Vec<usize>,
    pub(super) note: String,
}

/// A mapping that isn't written yet.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the mapping that stands there or not")]
pub(super) struct Draft {
    pub(super) file: String,
    pub(super) source: String,
    pub(super) sheet: Option<String>,
    pub(super) others: Vec<String>,
    pub(super) encoding: Option<String>,
    pub(super) delimiter: Option<char>,
    /// Names of the columns, as the mapping calls them.
    pub(super) names: Vec<String>,
    /// They have to be given in the mapping, as the file's header doesn't.
    pub(super) is_named_here: bool,
    pub(super) has_decimal_comma: bool,
    pub(super) zone: Option<&'static str>,
    /// Clock times without an offset: a zone is needed.
    pub(super) has_clocks: bool,
    pub(super) date_forms: Vec<&'static str>,
    pub(super) is_time_excel: bool,
    pub(super) offset_unit: Option<&'static str>,
    pub(super) is_break_in_hours: bool,
    /// Rounds to the nearest minute, and why.
    pub(super) rounding: Option<&'static str>,
    pub(super) fill_down: Vec<usize>,
    pub(super) totals: Vec<String>,
    pub(super) joins_midnight: bool,
    /// Why rows are numbered that are alike in the key.
    pub(super) number_repeats: Option<String>,
    pub(super) given: Vec<Given>,
    /// The station for all rows.
    pub(super) station: Option<String>,
    /// A column that may be the station's, if nothing else is read from it.
    pub(super) maybe_station: Option<usize>,
    /// A column, and the words of records that count.
    pub(super) only_if: Option<(usize, Vec<String>)>,
    pub(super) categories: Vec<(String, String)>,
    /// Words for adding, changing and deleting.
    pub(super) operations: Option<[String; 3]>,
    /// What was left out, and why.
    pub(super) notes: Vec<String>,
    pub(super) unsure: Vec<String>,
    pub(super) missing: Vec<String>,
}

impl Draft {
    pub(super) fn new(path: &Path, opened: &Opened) -> Self {
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        Self {
            file: path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
            source: slug(&stem),
            sheet: opened.sheet.clone(),
            others: opened.others.clone(),
            encoding: opened.encoding.clone(),
            delimiter: opened.delimiter,
            unsure: opened.unsure.clone(),
            ..Self::default()
        }
    }

    pub(super) fn lay_out(&mut self, survey: &Survey<'_>) {
        self.names.clone_from(&survey.layout.names);
        self.totals.clone_from(&survey.layout.totals);
        if survey.layout.header.is_none() {
            self.is_named_here = true;
            self.unsure
                .push("header: the file seems to have none, so that the columns are named by their place".to_owned());
        }
        if let Some(line) = survey.layout.second.and_then(|at| survey.lines.get(at)) {
            let number = line.number;
            self.unsure.push(format!(
                "row {number}: another table begins there; its rows are none of this one, and are rejected"
            ));
        }
        if let Some(line) = survey.layout.unnamed.first().and_then(|at| survey.lines.get(*at)) {
            let number = line.number;
            self.unsure
                .push(format!("row {number}: a sum, but its word begins records too; delete the row before importing"));
        }
        if survey.layout.is_wide {
            self.unsure
                .push(format!("the file has more columns than the {} that were looked at", super::layout::COLUMNS_MAX));
        }
    }

    pub(super) fn set(&mut self, field: Field, columns: &[&Column], note: &str) {
        self.set_at(field, columns.iter().map(|column| column.at).collect(), note);
    }

    pub(super) fn set_at(&mut self, field: Field, columns: Vec<usize>, note: &str) {
        self.given.retain(|given| given.field != field);
        self.given.push(Given { field, columns, note: note.to_owned() });
    }

    pub(super) fn get(&self, field: Field) -> &[usize] {
        let given = self.given.iter().find(|given| given.field == field);
        given.map(|given| given.columns.as_slice()).unwrap_or_default()
    }

    /// Columns that some field is read from.
    pub(super) fn used(&self) -> Vec<usize> {
        self.given.iter().flat_map(|given| given.columns.iter().copied()).collect()
    }

    pub(super) fn name(&self, at: usize) -> &str {
        self.names.get(at).map_or("", String::as_str)
    }

    /// Names the columns in the mapping, where one that is used has no name of its own in the file.
    pub(super) fn rename(&mut self, survey: &Survey<'_>) {
        let condition = self.only_if.as_ref().map(|(at, _)| *at);
        let renamed = &survey.layout.renamed;
        let used = self.used().into_iter().chain(condition).chain(self.fill_down.iter().copied());
        let (Some(header), true) = (survey.layout.header, used.into_iter().any(|at| renamed.contains(&at))) else {
            return;
        };
        self.is_named_here = true;
        self.unsure.push(
            "header: names stand twice, in two rows, or not at all, so that all columns are named in the mapping"
                .to_owned(),
        );
        // The rows of the header would be records: they are left out as sums are.
        for line in
            survey.lines.iter().take(survey.layout.first).skip(header.saturating_sub(survey.layout.titles.len()))
        {
            let first = line.cells.iter().map(short).find(|cell| !cell.is_empty()).unwrap_or_default().to_lowercase();
            let is_of_records = survey.layout.rows.iter().filter_map(|at| survey.lines.get(*at)).any(|line| {
                let found = line.cells.iter().map(short).find(|cell| !cell.is_empty());
                found.is_some_and(|cell| cell.to_lowercase().starts_with(&first))
            });
            if !first.is_empty() && !is_of_records && !self.totals.contains(&first) {
                self.totals.push(first);
            }
        }
    }

    /// A name for the station, for whoever knows no better yet: a title, the sheet, or the file.
    pub(super) fn place(&self, survey: &Survey<'_>) -> String {
        let titles = survey.layout.titles.iter();
        let place = titles.filter_map(|title| title.split_once(['：', ':'])).map(|(_, name)| name.trim());
        let is_place = |name: &&str| {
            !name.is_empty()
                && name.len() <= 120
                && ["站", "社区", "队", "隊", "会", "會", "station"].iter().any(|word| name.contains(word))
        };
        place.into_iter().find(is_place).map_or_else(|| self.source.clone(), str::to_owned)
    }

    /// Whether a column is one of remarks, which say nothing that tells records apart for good.
    pub(super) fn is_remark(name: &str) -> bool {
        is_named(Role::Other, name)
    }
}

/// A name of letters, digits and hyphens; other scripts stay.
fn slug(stem: &str) -> String {
    let lower = stem.to_lowercase();
    let words: Vec<&str> =
        lower.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut slug = words.join("-");
    while slug.len() > SOURCE_BYTES_MAX {
        slug.pop();
    }
    if slug.is_empty() { "spreadsheet".to_owned() } else { slug }
}
