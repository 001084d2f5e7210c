//! Workbooks: which kind, which sheet, and its cells as text.

use std::{
    borrow::Cow,
    collections::HashMap,
    io::Cursor,
    panic::{AssertUnwindSafe, catch_unwind},
};

use calamine::{
    Data, DataRef, Reader, SheetType, SheetVisible, Xls, XlsError, Xlsb, XlsbError, Xlsx, XlsxError,
    XlsxFormulaMetadata,
};

use super::{Form, Line, Problem, Sheet, cells::Sheetful, ods::Ods, ole, ole::Ole, parts, value, xls, xlsb};

/// A workbook that has been opened.
enum Book<'b> {
    Xlsx(Box<Xlsx<Cursor<&'b [u8]>>>),
    Xlsb(Box<Xlsb<Cursor<Vec<u8>>>>),
    Xls(Box<Xls<Cursor<Vec<u8>>>>),
    Ods(Ods),
}

/// Reads a sheet of a workbook: that of a name, else the first that is shown.
///
/// # Errors
///
/// In this order: [`Problem::Password`], [`Problem::NoTable`], [`Problem::Much`] and [`Problem::Damaged`] as it is
/// opened, [`Problem::NoSheet`] or [`Problem::NoneVisible`], [`Problem::Damaged`], [`Problem::Much`] or
/// [`Problem::Value`] as the sheet is read, [`Problem::EmptySheet`].
pub(super) fn read(bytes: &[u8], wanted: Option<&str>) -> Result<(Vec<Line>, Form), Problem> {
    guarded(|| {
        let mut book = open(bytes)?;
        let mut others = list(&book)?;
        let index = choose(&others, wanted)?;
        let lines = rows(&mut book, &others, index)?;
        let sheets = names(&others);
        let sheet = others.remove(index).name;
        if lines.is_empty() {
            return Err(Problem::EmptySheet { sheet, sheets });
        }
        Ok((lines, Form::Workbook { sheet, others }))
    })
}

/// calamine (0.36.1) panics on some damaged files: on a cell reference with too many letters or a range that ends
/// before it begins (arithmetic, xlsx/mod.rs 2837 and 2792), on a relationship that is missing (xlsb/mod.rs 309), on
/// records that are short (slices, xls.rs). The message goes to standard error all the same.
fn guarded<T>(work: impl FnOnce() -> Result<T, Problem>) -> Result<T, Problem> {
    let gave_up = |_panic| Problem::Damaged("its parts contradict one another".to_owned());
    catch_unwind(AssertUnwindSafe(work)).map_err(gave_up)?
}

fn open(bytes: &[u8]) -> Result<Book<'_>, Problem> {
    if !bytes.starts_with(b"PK") {
        return open_ole(bytes);
    }
    let names: Vec<String> = parts::check(bytes)?.iter().map(|name| name.to_lowercase()).collect();
    let has = |end: &str| names.iter().any(|name| name.ends_with(end));
    if has("workbook.bin") {
        let bytes = parts::rewrite(bytes, xlsb::mend)?;
        return Ok(Book::Xlsb(Box::new(Xlsb::new(Cursor::new(bytes)).map_err(|error| xlsb_problem(&error))?)));
    }
    if has("workbook.xml") {
        return Ok(Book::Xlsx(Box::new(Xlsx::new(Cursor::new(bytes)).map_err(|error| xlsx_problem(&error))?)));
    }
    if has("encrypted-package") || has("encryptedpackage") {
        return Err(Problem::Password);
    }
    let kind = parts::part(bytes, "mimetype")?.unwrap_or_default();
    if kind.starts_with(b"application/vnd.oasis.opendocument.spreadsheet") && has("content.xml") {
        return Ok(Book::Ods(Ods::open(bytes)?));
    }
    Err(Problem::NoTable(match () {
        () if has("word/document.xml") => "a Word document",
        () if has("ppt/presentation.xml") => "a presentation",
        () if has(".iwa") || has("index.zip") => "a document of Numbers, Pages or Keynote",
        () if has("content.xml") => "an OpenDocument file without sheets",
        () => "a zip file that holds no workbook",
    }))
}

fn open_ole(bytes: &[u8]) -> Result<Book<'_>, Problem> {
    let container = Ole::open(bytes)?;
    if container.has("EncryptedPackage") {
        return Err(Problem::Password);
    }
    let Some(name) = ["Workbook", "Book"].into_iter().find(|name| container.has(name)) else {
        let is_word = container.has("WordDocument");
        return Err(Problem::NoTable(if is_word { "a Word document" } else { "an Office document without sheets" }));
    };
    let Some(mut stream) = container.stream(name) else {
        return Err(Problem::Damaged("the workbook's sectors are broken".to_owned()));
    };
    xls::clean(&mut stream)?;
    let much = Problem::Much { what: "bytes in an .xls", most: ole::WRAPPED_BYTES_MAX as u64 };
    let wrapped = Cursor::new(ole::wrap(stream).ok_or(much)?);
    Ok(Book::Xls(Box::new(Xls::new(wrapped).map_err(|error| xls_problem(&error))?)))
}

fn list(book: &Book<'_>) -> Result<Vec<Sheet>, Problem> {
    let metadata = match book {
        Book::Xlsx(book) => book.sheets_metadata(),
        Book::Xlsb(book) => book.sheets_metadata(),
        Book::Xls(book) => book.sheets_metadata(),
        Book::Ods(book) => return book.sheets(),
    };
    let cells = metadata.iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
    let sheet =
        |sheet: &calamine::Sheet| Sheet { name: sheet.name.clone(), hidden: sheet.visible != SheetVisible::Visible };
    Ok(cells.map(sheet).collect())
}

/// The sheet of a name, in any case if none is written so, as Excel tells no case apart; else the first that is shown.
fn choose(sheets: &[Sheet], wanted: Option<&str>) -> Result<usize, Problem> {
    let place = |is: &dyn Fn(&Sheet) -> bool| sheets.iter().position(is);
    let Some(wanted) = wanted else {
        return place(&|sheet| !sheet.hidden).ok_or_else(|| Problem::NoneVisible { sheets: names(sheets) });
    };
    let lower = wanted.trim().to_lowercase();
    place(&|sheet| sheet.name == wanted)
        .or_else(|| place(&|sheet| sheet.name.trim().to_lowercase() == lower))
        .ok_or_else(|| Problem::NoSheet { wanted: wanted.to_owned(), sheets: names(sheets) })
}

fn names(sheets: &[Sheet]) -> String {
    let name = |sheet: &Sheet| format!("{:?}{}", sheet.name, if sheet.hidden { " (hidden)" } else { "" });
    let names: Vec<String> = sheets.iter().map(name).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn rows(book: &mut Book<'_>, sheets: &[Sheet], index: usize) -> Result<Vec<Line>, Problem> {
    let name = sheets.get(index).map(|sheet| sheet.name.as_str()).unwrap_or_default();
    match book {
        Book::Xlsx(book) => xlsx_rows(book, name),
        Book::Xlsb(book) => {
            let epoch_1904 = book.has_1904_epoch();
            let mut reader = book.worksheet_cells_reader(name).map_err(|error| xlsb_problem(&error))?;
            let mut sheet = Sheetful::default();
            while let Some(cell) = reader.next_cell().map_err(|error| xlsb_problem(&error))? {
                let (row, column) = cell.get_position();
                sheet.cell(row.into(), column.into(), &text(cell.get_value(), epoch_1904))?;
            }
            Ok(sheet.finish())
        }
        Book::Xls(book) => {
            let epoch_1904 = book.has_1904_epoch();
            let range = book.worksheet_range(name).map_err(|error| xls_problem(&error))?;
            let (top, left) = range.start().unwrap_or_default();
            let mut sheet = Sheetful::default();
            for (row, cells) in (u64::from(top)..).zip(range.rows()) {
                for (column, cell) in (u64::from(left)..).zip(cells).filter(|(_, cell)| **cell != Data::Empty) {
                    sheet.cell(row, column, &owned_text(cell, epoch_1904))?;
                }
            }
            Ok(sheet.finish())
        }
        Book::Ods(book) => book.rows(index),
    }
}

/// Cells as they stream by; calamine's ranges would hold the whole rectangle around them.
fn xlsx_rows(book: &mut Xlsx<Cursor<&[u8]>>, name: &str) -> Result<Vec<Line>, Problem> {
    let epoch_1904 = book.has_1904_epoch();
    let mut reader = book.worksheet_cells_reader(name).map_err(|error| xlsx_problem(&error))?;
    let mut sheet = Sheetful::default();
    let mut shared: HashMap<usize, String> = HashMap::new();
    loop {
        // The one that expands shared formulas makes room by a number in the file.
        let cell = match reader.next_cell_with_formula_metadata() {
            Ok(Some(cell)) => cell,
            Ok(None) => return Ok(sheet.finish()),
            Err(XlsxError::CellError(value)) => {
                return Err(Problem::Value { sheet: name.to_owned(), row: sheet.number().max(1), value });
            }
            Err(error) => return Err(xlsx_problem(&error)),
        };
        let (row, column) = cell.pos;
        let shown = match (cell.value, cell.formula) {
            (DataRef::Empty, Some(formula)) => Cow::Owned(format!("={}", formula_text(formula, &mut shared))),
            (value, Some(XlsxFormulaMetadata::Shared { shared_index, formula, .. })) => {
                shared.insert(shared_index, formula);
                Cow::Owned(text(&value, epoch_1904).into_owned())
            }
            (DataRef::SharedString(text), _) => Cow::Borrowed(text),
            (value, _) => Cow::Owned(text(&value, epoch_1904).into_owned()),
        };
        sheet.cell(row.into(), column.into(), &shown)?;
    }
}

/// A formula; of one that shares another cell's, that of the other.
fn formula_text(formula: XlsxFormulaMetadata, shared: &mut HashMap<usize, String>) -> String {
    match formula {
        XlsxFormulaMetadata::Shared { shared_index, formula, .. } => {
            shared.insert(shared_index, formula.clone());
            formula
        }
        XlsxFormulaMetadata::SharedDerived { shared_index } => shared.get(&shared_index).cloned().unwrap_or_default(),
        XlsxFormulaMetadata::Normal { formula } => formula,
        // It may grow; what it has now is above.
        _ => String::new(),
    }
}

fn text<'c>(value: &'c DataRef<'_>, epoch_1904: bool) -> Cow<'c, str> {
    if let DataRef::SharedString(text) = value {
        return Cow::Borrowed(text);
    }
    if let DataRef::String(text) = value {
        return Cow::Borrowed(text);
    }
    Cow::Owned(owned_text(&Data::from(value.clone()), epoch_1904).into_owned())
}

fn owned_text(value: &Data, epoch_1904: bool) -> Cow<'_, str> {
    Cow::Owned(match value {
        Data::Empty => String::new(),
        Data::String(text) => return Cow::Borrowed(text),
        Data::Int(number) => number.to_string(),
        Data::Float(number) => value::number(*number),
        Data::Bool(truth) => if *truth { "TRUE" } else { "FALSE" }.to_owned(),
        Data::DateTime(days) if days.is_duration() => value::duration(days.as_f64()),
        Data::DateTime(days) => value::date(days.as_f64(), epoch_1904),
        Data::DateTimeIso(text) => value::iso_date(text),
        Data::DurationIso(text) => value::iso_duration(text),
        Data::Error(error) => error.to_string(),
    })
}

fn xlsx_problem(error: &XlsxError) -> Problem {
    if matches!(error, XlsxError::Password) { Problem::Password } else { Problem::Damaged(error.to_string()) }
}

fn xlsb_problem(error: &XlsbError) -> Problem {
    if matches!(error, XlsbError::Password) { Problem::Password } else { Problem::Damaged(error.to_string()) }
}

fn xls_problem(error: &XlsError) -> Problem {
    if matches!(error, XlsError::Password) { Problem::Password } else { Problem::Damaged(error.to_string()) }
}
