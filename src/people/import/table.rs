//! A file's rows under its header: which cell is which field, what is a row of data and what is a title, a sum or a blank.

use std::{borrow::Cow, collections::BTreeMap};

use super::{
    cell::{
        date::date,
        moment::moment,
        text::{fault, tidy},
    },
    grid::{Form, Grid, Line, Sheet},
    mapping::{Condition, Field, Mapping},
};

/// How far down a header is looked for: titles, logos and notes to whoever fills it in take a few rows.
const HEADER_ROWS_MAX: usize = 50;

/// What a file of rejects has beside the columns of its source: place, and why.
pub(crate) const REJECTS_ADD: [&str; 2] = ["line", "reason"];

/// A row that is no record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// Where it stands.
    pub(crate) number: u64,
    pub(crate) why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// It begins with a word of `totals`.
    Total,
    /// `only_if` doesn't hold.
    Condition,
}

/// A file under its mapping.
#[derive(Debug)]
pub(crate) struct Table {
    /// Names of the columns, as they stand.
    pub(crate) header: Vec<String>,
    /// Rows of data, in the order of the file.
    pub(crate) rows: Vec<Line>,
    pub(crate) left_out: Vec<LeftOut>,
    pub(crate) form: Form,
    positions: BTreeMap<Field, Vec<usize>>,
    constants: BTreeMap<Field, String>,
    volunteer_if: Option<(usize, Condition)>,
}

impl Table {
    /// Finds the header, and what stands under it.
    ///
    /// # Errors
    /// No row has all the columns that the mapping names, or one of them twice: in words.
    pub(crate) fn new(grid: Grid, mapping: &Mapping) -> Result<Self, String> {
        let Grid { rows: lines, form, .. } = grid;
        let Found { above, header, mut rows } = under_header(lines, mapping, &form)?;
        let totals: Vec<String> = mapping.totals.iter().map(|word| tidy(word).to_lowercase()).collect();
        let names: Vec<String> = header.iter().map(|name| tidy(name)).collect();
        let position = |name: &String| position(&names, name);
        let mut positions = BTreeMap::new();
        for (field, columns) in mapping.in_columns() {
            positions.insert(field, columns.iter().map(position).collect::<Result<Vec<_>, _>>()?);
        }
        let condition = |condition: &Option<Condition>| match condition {
            Some(condition) => position(&condition.column).map(|column| Some((column, condition.clone()))),
            None => Ok(None),
        };
        let (volunteer_if, only_if) = (condition(&mapping.volunteer_if)?, condition(&mapping.only_if)?);
        let constants = mapping.constants().map(|(field, text)| (field, tidy(text))).collect();
        // Sums before blanks are filled, as they have their word in a column of their own; what is filled tells states, too.
        let mut left_out = leave_out(&mut rows, Why::Total, |line| is_total(line, &totals));
        let filled: Vec<usize> = mapping.fill_down.iter().map(position).collect::<Result<_, _>>()?;
        fill_down(&mut rows, &filled);
        if let Some((position, condition)) = &only_if {
            let fails = |line: &Line| !condition.holds(&cell_at(line, *position));
            left_out.extend(leave_out(&mut rows, Why::Condition, fails));
        }
        let table = Self { header, rows, left_out, form, positions, constants, volunteer_if };
        table.check_above(&above, mapping)?;
        Ok(table)
    }

    /// Whether what stands above the header is titles and notes: a spreadsheet that sorts its header along hides rows there.
    fn check_above(&self, above: &[Line], mapping: &Mapping) -> Result<(), String> {
        let says_when = |line: &Line| {
            [Field::Date, Field::Start, Field::Interval].into_iter().any(|field| {
                let text = self.text(line, field).unwrap_or_default();
                let is_in_columns = self.positions.contains_key(&field);
                is_in_columns
                    && (date(&text, &mapping.date_forms).is_ok()
                        || moment(&text, &mapping.date_forms, &mapping.time_forms).is_ok())
            })
        };
        let filled = |line: &&Line| {
            let positions = self.positions.values().flatten();
            positions.filter(|position| !cell_at(line, **position).is_empty()).count() > 2
        };
        let hidden = above.iter().filter(filled).find(|line| says_when(line));
        hidden.map_or(Ok(()), |line| {
            Err(format!(
                "{} stands above the header and looks like a row of data: has the header been sorted along? Put it first",
                self.place(line.number)
            ))
        })
    }

    /// What a row says of a field, tidied, the cells of several columns with a blank between them; nothing where it says
    /// nothing.
    ///
    /// # Errors
    /// The cell holds no data: an error value, or a formula.
    pub(crate) fn text(&self, line: &Line, field: Field) -> Result<String, String> {
        if let Some(constant) = self.constants.get(&field) {
            return Ok(constant.clone());
        }
        let cells: Vec<String> = self.cells(line, field).collect::<Result<_, _>>()?;
        let filled: Vec<&str> = cells.iter().map(String::as_str).filter(|cell| !cell.is_empty()).collect();
        Ok(filled.join(" "))
    }

    /// The cells of a field, tidied, one for each of its columns.
    pub(crate) fn cells(&self, line: &Line, field: Field) -> impl Iterator<Item = Result<String, String>> {
        let positions = self.positions.get(&field).map(Vec::as_slice).unwrap_or_default();
        positions.iter().map(|position| {
            let cell = cell_at(line, *position);
            let name = self.header.get(*position).map(String::as_str).unwrap_or_default();
            fault(&cell).map_or(Ok(cell), |fault| Err(format!("{name}: {fault}")))
        })
    }

    /// What people know a field by: the headers of its columns.
    pub(crate) fn name(&self, field: Field) -> Cow<'_, str> {
        let Some(positions) = self.positions.get(&field) else { return Cow::Borrowed(field.name()) };
        let names: Vec<&str> =
            positions.iter().filter_map(|position| self.header.get(*position)).map(String::as_str).collect();
        Cow::Owned(names.join(", "))
    }

    /// Why nobody is to be credited for a row.
    pub(crate) fn without_account(&self, line: &Line) -> Option<String> {
        let (position, condition) = self.volunteer_if.as_ref()?;
        let found = cell_at(line, *position);
        (!condition.holds(&found))
            .then(|| format!("no account to credit: {} is {found:?}, not {}", condition.column, condition.expected()))
    }

    /// Why a row doesn't fit under the header: it has more than the header has, and what is more isn't empty.
    pub(crate) fn shape_fault(&self, line: &Line) -> Option<String> {
        let cells = line
            .cells
            .iter()
            .zip(1..)
            .filter(|(cell, _)| !tidy(cell).is_empty())
            .map(|(_, count)| count)
            .last()
            .unwrap_or(0);
        (cells > self.header.len()).then(|| {
            format!(
                "the row has {cells} cells, the header {}: a cell that holds what separates the columns needs quotes",
                self.header.len()
            )
        })
    }

    /// Whether it holds rows that an import rejected.
    pub(crate) fn is_of_rejects(&self) -> bool {
        self.header.ends_with(&REJECTS_ADD.map(str::to_owned))
    }

    /// Of a row that was rejected, which one of those that are alike it was.
    pub(crate) fn repeat(&self, line: &Line) -> Option<u32> {
        let place = self.is_of_rejects().then(|| self.header.len().checked_sub(REJECTS_ADD.len()))??;
        let cell = cell_at(line, place);
        Some(cell.split_once('#').and_then(|(_, time)| time.trim().parse().ok()).unwrap_or(1))
    }

    /// Whether the file can be trusted to hold every record: what it lacks is taken back.
    pub(crate) fn check_full(&self) -> Result<(), String> {
        if self.rows.is_empty() {
            return Err("the file has no rows; every record of its source would be taken back".to_owned());
        }
        let fault = self.rows.iter().find_map(|line| self.shape_fault(line).map(|fault| (line.number, fault)));
        fault.map_or(Ok(()), |(number, fault)| {
            Err(format!("{}: {fault}. What the file lacks would be taken back, so mend it first", self.place(number)))
        })
    }

    /// A row's place in words: as an editor, or a spreadsheet, counts.
    pub(crate) fn place(&self, number: u64) -> String {
        match &self.form {
            Form::Text { .. } => format!("line {number}"),
            Form::Workbook { sheet, .. } => format!("sheet {sheet:?}, row {number}"),
        }
    }
}

fn cell_at(line: &Line, position: usize) -> String {
    line.cells.get(position).map(tidy).unwrap_or_default()
}

/// The one column of a name.
fn position(names: &[String], name: &str) -> Result<usize, String> {
    let name = tidy(name);
    let mut found = names.iter().zip(0..).filter(|(column, _)| **column == name).map(|(_, position)| position);
    match (found.next(), found.next()) {
        (Some(position), None) => Ok(position),
        (Some(first), Some(second)) => Err(format!(
            "the header names {name:?} twice, as columns {} and {}: which one is meant? Rename one of them",
            first + 1,
            second + 1
        )),
        (None, _) => Err(format!("the file has no column {name:?}")),
    }
}

fn names(line: &Line) -> Vec<String> {
    line.cells.iter().map(str::to_owned).collect()
}

/// A header, and what stands above and under it.
struct Found {
    above: Vec<Line>,
    header: Vec<String>,
    rows: Vec<Line>,
}

fn under_header(mut lines: Vec<Line>, mapping: &Mapping, form: &Form) -> Result<Found, String> {
    let wanted: Vec<String> = mapping.column_names().map(tidy).collect();
    let tidied = |line: &Line| -> Vec<String> { line.cells.iter().map(tidy).collect() };
    let is_header = |line: &Line| {
        let cells = tidied(line);
        wanted.iter().all(|name| cells.contains(name))
    };
    if let Some(header) = &mapping.header {
        let named: Vec<String> = header.iter().map(|name| tidy(name)).collect();
        let lacking: Vec<&String> = wanted.iter().filter(|name| !named.contains(name)).collect();
        if let Some(name) = lacking.first() {
            return Err(format!("the mapping's `header` has no column {name:?}"));
        }
        // A file of rejects of such a file says what its columns are.
        let own = lines.first().filter(|line| tidied(line).starts_with(&named)).map(names);
        if own.is_some() {
            lines.remove(0);
        }
        return Ok(Found { above: Vec::new(), header: own.unwrap_or_else(|| header.clone()), rows: lines });
    }
    if let Some(at) = lines.iter().take(HEADER_ROWS_MAX).position(is_header) {
        let rows = lines.split_off(at + 1);
        let header = lines.pop().as_ref().map(names).unwrap_or_default();
        return Ok(Found { above: lines, header, rows });
    }
    // What comes nearest to the header that is looked for.
    let nearest = lines.iter().take(HEADER_ROWS_MAX).max_by_key(|line| {
        let cells = tidied(line);
        (wanted.iter().filter(|name| cells.contains(name)).count(), std::cmp::Reverse(line.number))
    });
    let cells = nearest.map(tidied).unwrap_or_default();
    let mut missing: Vec<&str> = wanted.iter().filter(|name| !cells.contains(name)).map(String::as_str).collect();
    missing.dedup();
    let below = nearest.map_or(0, |line| line.number);
    let beside = lines.iter().filter(|line| line.number.abs_diff(below) <= 2).flat_map(tidied).collect::<Vec<_>>();
    let advice = match form {
        _ if cells.len() > 1 && missing.iter().all(|name| beside.iter().any(|cell| cell == name)) => {
            " They stand in a row beside it: a header of several rows has to be named in the mapping, as header = [\"...\", \"...\"]"
                .to_owned()
        }
        Form::Text { delimiter, .. } if cells.len() == 1 => {
            format!(" Is {delimiter:?} what separates the columns? If not, set `delimiter` in the mapping")
        }
        Form::Workbook { sheet, others } if !others.is_empty() => {
            format!(" This is sheet {sheet:?}; others are {}: set `sheet` in the mapping", sheets(others))
        }
        Form::Text { .. } | Form::Workbook { .. } => String::new(),
    };
    Err(format!(
        "the mapping names columns that the file doesn't have: {}. It has: {}.{advice}",
        missing.join(", "),
        cells.join(", ")
    ))
}

/// Takes rows away that are no records, and says which.
fn leave_out(rows: &mut Vec<Line>, why: Why, is_none: impl Fn(&Line) -> bool) -> Vec<LeftOut> {
    let mut left_out = Vec::new();
    rows.retain(|line| {
        let is_left_out = is_none(line);
        left_out.extend(is_left_out.then_some(LeftOut { number: line.number, why }));
        !is_left_out
    });
    left_out
}

fn is_total(line: &Line, totals: &[String]) -> bool {
    let first = line.cells.iter().map(|cell| tidy(cell).to_lowercase()).find(|cell| !cell.is_empty());
    first.is_some_and(|first| totals.iter().any(|word| begins_with(&first, word)))
}

/// Whether a cell begins with a word, as "Total:" and "合计人数" do, and "Totalski" doesn't: scripts with an alphabet part words.
fn begins_with(cell: &str, word: &str) -> bool {
    let Some(rest) = cell.strip_prefix(word) else { return false };
    let is_alphabetic =
        |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphabetic() && u32::from(letter) < 0x2e80);
    !(is_alphabetic(word.chars().next_back()) && is_alphabetic(rest.chars().next()))
}

/// Writes into blanks of these columns what stands above them.
fn fill_down(rows: &mut [Line], columns: &[usize]) {
    let mut above: BTreeMap<usize, String> = BTreeMap::new();
    for line in rows.iter_mut().filter(|_| !columns.is_empty()) {
        let mut cells = names(line);
        for column in columns {
            if cells.len() <= *column {
                cells.resize(column + 1, String::new());
            }
            let Some(cell) = cells.get_mut(*column) else { continue };
            if tidy(cell).is_empty() {
                above.get(column).map(String::as_str).unwrap_or_default().clone_into(cell);
            } else {
                above.insert(*column, cell.clone());
            }
        }
        line.cells = cells.into_iter().collect();
    }
}

/// Names of sheets.
fn sheets(sheets: &[Sheet]) -> String {
    let names: Vec<&str> = sheets.iter().map(|sheet| sheet.name.as_str()).collect();
    names.join(", ")
}
