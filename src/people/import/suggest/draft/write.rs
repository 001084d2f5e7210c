//! The draft as TOML, with comments for whoever edits it.

use std::fmt::Write as _;

use super::{super::super::mapping::Field, Draft};

/// Fields in the order in which people think of them.
const ORDER: [Field; 15] = [
    Field::Record,
    Field::Operation,
    Field::Volunteer,
    Field::Station,
    Field::Date,
    Field::Start,
    Field::End,
    Field::Interval,
    Field::Hours,
    Field::Minutes,
    Field::Seconds,
    Field::Break,
    Field::Offset,
    Field::Category,
    Field::Activity,
];

/// A string of TOML, on one line.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            letter if letter.is_control() => {
                let _never_fails = write!(quoted, "\\u{:04X}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// One string, or an array of several.
fn list<T: AsRef<str>>(texts: &[T]) -> String {
    match texts {
        [text] => quoted(text.as_ref()),
        texts => format!("[{}]", texts.iter().map(|text| quoted(text.as_ref())).collect::<Vec<_>>().join(", ")),
    }
}

/// Text for a comment: what would end its line is a blank.
fn comment(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// Lines of a mapping.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn say(&mut self, text: &str) {
        let _never_fails = writeln!(self.0, "# {}", comment(text));
    }

    fn set(&mut self, key: &str, value: &str, note: &str) {
        if !note.is_empty() {
            self.say(note);
        }
        let _never_fails = writeln!(self.0, "{key} = {value}");
    }

    fn section(&mut self, name: &str) {
        let _never_fails = writeln!(self.0, "\n[{name}]");
    }
}

impl Draft {
    /// The mapping. It can be read where nothing is missing.
    pub(in super::super) fn write(&self) -> String {
        let mut lines = Lines::default();
        lines.say(&format!(
            "A mapping for {}, suggested from its header and cells: check it before the first import.",
            self.file
        ));
        for line in &self.missing {
            lines.say(&format!("MISSING: {line}"));
        }
        for line in &self.unsure {
            lines.say(&format!("Not sure: {line}"));
        }
        let _never_fails = writeln!(lines.0);
        self.write_file(&mut lines);
        self.write_settings(&mut lines);
        self.write_columns(&mut lines);
        self.write_tables(&mut lines);
        lines.0
    }

    fn write_file(&self, lines: &mut Lines) {
        lines.set(
            "source",
            &quoted(&self.source),
            "Files that carry on one another share this name, so never change it once rows were imported.",
        );
        if !self.others.is_empty() {
            lines.say(&format!(
                "Other sheets: {}. To read one, name it here as sheet = \"...\".",
                self.others.join(", ")
            ));
        }
        if let Some(sheet) = &self.sheet {
            lines.set("sheet", &quoted(sheet), "");
        }
        if let Some(encoding) = &self.encoding {
            lines.set("encoding", &quoted(encoding), "");
        }
        if let Some(delimiter) = self.delimiter {
            lines.set("delimiter", &quoted(&delimiter.to_string()), "");
        }
        if self.is_named_here {
            lines.set(
                "header",
                &format!("[{}]", self.names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")),
                "",
            );
        }
    }

    fn write_settings(&self, lines: &mut Lines) {
        if self.has_decimal_comma {
            lines.set("decimal", "\"comma\"", "");
        }
        match self.zone {
            Some(zone) => lines.set("zone", &quoted(zone), "Where the clocks are."),
            None if self.has_clocks => {
                lines.say("Say where the clocks are:");
                lines.say("zone = \"Europe/Prague\"");
            }
            None => {}
        }
        if !self.date_forms.is_empty() {
            lines.set("date_format", &list(&self.date_forms), "");
        }
        if self.is_time_excel {
            lines.set("time_format", "\"excel\"", "Clock times as parts of a day.");
        }
        if let Some(unit) = self.offset_unit {
            lines.set("offset_unit", &quoted(unit), "");
        }
        if self.is_break_in_hours {
            lines.set("break_unit", "\"hours\"", "");
        }
        if let Some(why) = self.rounding {
            lines.set("rounding", "\"nearest\"", &format!("Rounded: {why}. Others are \"down\" and \"up\"."));
        }
        let filled: Vec<&str> = self.fill_down.iter().map(|at| self.name(*at)).collect();
        if !filled.is_empty() {
            lines.set("fill_down", &list(&filled), "A blank here means what stands above it.");
        }
        if !self.totals.is_empty() {
            lines.set("totals", &list(&self.totals), "Rows that begin so are no records.");
        }
        if self.joins_midnight {
            lines.set("join_midnight", "true", "Services that were cut at midnight are one again.");
        }
        if let Some(why) = &self.number_repeats {
            lines.set("number_repeats", "true", why);
        }
        lines.say("For history brought over from an older system, by operators only: no limit of age.");
        lines.say("imported = true");
    }

    fn write_columns(&self, lines: &mut Lines) {
        lines.section("columns");
        for field in ORDER {
            let Some(given) = self.given.iter().find(|given| given.field == field) else { continue };
            let names: Vec<&str> = given.columns.iter().map(|at| self.name(*at)).collect();
            lines.set(field.name(), &list(&names), &given.note);
        }
        if self.given.iter().all(|given| given.field != Field::Volunteer) {
            lines.say("volunteer = \"...\"");
        }
        for note in &self.notes {
            lines.say(note);
        }
        if let Some(at) = self.maybe_station.filter(|at| !self.used().contains(at)) {
            let name = quoted(self.name(at));
            lines.say(&format!("If {name} is the station, write station = {name} here, and none under [constants]."));
        }
    }

    fn write_tables(&self, lines: &mut Lines) {
        if let Some(station) = &self.station {
            lines.section("constants");
            lines.set("station", &quoted(station), "EDIT: the station's account id, or a name for it.");
        }
        if let Some((at, words)) = &self.only_if {
            lines.section("only_if");
            lines.set("column", &quoted(self.name(*at)), "Only rows with these words are records.");
            lines.set("equals", &list(words), "");
        }
        if !self.categories.is_empty() {
            lines.section("categories");
            lines.say("Codes for what the column says: 1 to 32 of A-Z a-z 0-9 . _ -");
            for (word, code) in &self.categories {
                lines.set(&quoted(word), &quoted(code), "");
            }
        }
        if let Some([add, change, delete]) = &self.operations {
            lines.section("operations");
            lines.set("add", &quoted(add), "");
            lines.set("change", &quoted(change), "");
            lines.set("delete", &quoted(delete), "");
        }
    }
}
