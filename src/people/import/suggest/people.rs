//! Who served, and where.

use super::{
    super::{cell::text::fault, mapping::Field},
    draft::Draft,
    kind::percent,
    survey::{Column, Survey},
    words::Role,
};

/// Chooses the column that names the person who is credited.
pub(super) fn volunteer(draft: &mut Draft, survey: &Survey<'_>) {
    let names_alone = name(survey);
    let number = number(survey, names_alone.first().copied());
    let payee = survey.of(Role::Payee).filter(|column| is_filled(column, survey));
    let payee = payee.max_by_key(|column| (is_named_code(column), std::cmp::Reverse(column.at)));
    if let Some(column) = payee {
        draft.set(Field::Volunteer, &[column], "who is credited by the transfer");
        strangers(draft, column);
        draft
            .unsure
            .push(format!("volunteer: the rows are transfers; {:?} is taken for who did the service", column.name));
        return;
    }
    let plain = number.or_else(|| first(survey, Role::Email)).or_else(|| first(survey, Role::Login));
    if let Some(column) = plain {
        draft.set(Field::Volunteer, &[column], "");
        strangers(draft, column);
        let unread = names_alone.iter().filter(|name| name.at != column.at);
        draft.notes.extend(unread.map(|name| format!("{}: not read, people go by {}", name.name, column.name)));
        return;
    }
    if !names_alone.is_empty() {
        draft.set(Field::Volunteer, &names_alone, "");
        let others = survey.of(Role::Name).filter(|column| is_filled(column, survey) && !column.has_numbers());
        let others: Vec<&str> = others
            .filter(|column| !names_alone.iter().any(|name| name.at == column.at))
            .map(|column| column.name.as_str())
            .collect();
        if !others.is_empty() && names_alone.len() == 1 {
            let chosen = names_alone.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
            draft.unsure.push(format!("volunteer: {chosen:?} is taken for who served, and not {}", others.join(", ")));
        }
        if !names_alone.iter().any(|column| column.has_codes()) {
            draft.unsure.push("volunteer: by name; two people of one name would be one account".to_owned());
        }
        return;
    }
    for (role, what) in [(Role::Phone, "phone numbers"), (Role::IdCard, "numbers of identity cards")] {
        if let Some(column) = first(survey, role) {
            draft.set(Field::Volunteer, &[column], "");
            private(draft, column, what);
            return;
        }
    }
    if let Some(column) = likely(survey) {
        draft.set(Field::Volunteer, &[column], "");
        draft.unsure.push(format!("volunteer: {:?} looks like names, but no header says so", column.name));
        return;
    }
    draft.missing.push(
        "who: no column has volunteers. If all rows are one person's, write volunteer = \"...\" under [constants]"
            .to_owned(),
    );
}

/// Cells that aren't of the form of the others, as words for somebody who is no member any more.
fn strangers(draft: &mut Draft, column: &Column) {
    let has_digit = |cell: &&str| cell.bytes().any(|byte| byte.is_ascii_digit()) || fault(cell).is_some();
    let with = column.filled().filter(has_digit).count();
    if percent(with, column.count()) < 80 {
        return;
    }
    if let Some(other) = column.filled().find(|cell| !has_digit(cell)) {
        let count = column.count() - with;
        let other: String = other.chars().take(40).collect();
        draft.unsure.push(format!(
            "volunteer: {count} of the sampled rows name {other:?} or the like without a number: nobody?"
        ));
    }
}

fn private(draft: &mut Draft, column: &Column, what: &str) {
    draft.unsure.push(format!(
        "volunteer: {:?} holds {what}, which are private and would be kept; better give people numbers of their own",
        column.name
    ));
}

fn is_filled(column: &Column, survey: &Survey<'_>) -> bool {
    column.count() > 0 && percent(column.count(), survey.sampled()) >= 15 && !has_times(column)
}

fn has_times(column: &Column) -> bool {
    column.has_dates() || column.has_moments() || column.has_spans()
}

/// `payee.code` rather than `payee.id`: shorter, and what people go by.
fn is_named_code(column: &Column) -> bool {
    column.name.to_lowercase().contains("code")
}

fn first<'s>(survey: &'s Survey<'_>, role: Role) -> Option<&'s Column> {
    survey.of(role).find(|column| is_filled(column, survey))
}

/// A member's number: one that is no identity card's, and that several rows share where people do.
fn number<'s>(survey: &'s Survey<'_>, name: Option<&Column>) -> Option<&'s Column> {
    let fits = |column: &&Column| is_filled(column, survey) && !is_id_card(column);
    if let Some(column) = survey.of(Role::Number).filter(fits).find(|column| column.has_codes()) {
        return Some(column);
    }
    // Any number, if it goes with the name: as many of one as of the other, and fewer than rows.
    survey.of(Role::Code).filter(fits).find(|column| {
        let distinct = column.distinct();
        let goes_with_name = name.is_none_or(|name| distinct.abs_diff(name.distinct()) * 10 <= distinct.max(10));
        column.has_codes() && distinct < column.count() && goes_with_name
    })
}

/// 18 digits, the last one maybe an X, with a date of birth within; or 15.
fn is_id_card(column: &Column) -> bool {
    let is_card = |cell: &&str| {
        let digits = cell.bytes().filter(u8::is_ascii_digit).count();
        let year = cell.get(6..10).and_then(|year| year.parse::<u16>().ok());
        (cell.len() == 18 && digits >= 17 && year.is_some_and(|year| (1900..=2030).contains(&year)))
            || (cell.len() == 15 && digits == 15)
    };
    percent(column.filled().filter(is_card).count(), column.count()) >= 60
}

/// Whether a header says that it is about who served, and not about who was served, or who looks after both.
fn is_of_volunteers(column: &Column) -> bool {
    let name = column.name.to_lowercase();
    let words = [
        "志愿",
        "志願",
        "志工",
        "义工",
        "義工",
        "volunteer",
        "helper",
        "helfer",
        "freiwillig",
        "ehrenamt",
        "benevole",
        "bénévole",
    ];
    words.iter().any(|word| name.contains(word))
}

/// The column of names, or those of first and last names. A column that is called so and holds numbers is none.
fn name<'s>(survey: &'s Survey<'_>) -> Vec<&'s Column> {
    let parts = [first(survey, Role::FirstName), first(survey, Role::LastName)];
    let fits = |column: &&Column| is_filled(column, survey) && !column.has_numbers();
    // Of two, the one that says most of a name: full names before others.
    let whole = survey
        .of(Role::Name)
        .filter(fits)
        .filter(|column| !(column.has_codes() && column.distinct() == column.count()));
    let whole = whole.max_by_key(|column| {
        (!column.is_weak(), is_of_volunteers(column), column.count(), std::cmp::Reverse(column.at))
    });
    match (whole, parts) {
        (_, [Some(first), Some(last)]) => vec![first, last],
        (Some(whole), _) => vec![whole],
        (None, [Some(part), None] | [None, Some(part)]) => vec![part],
        (None, [None, None]) => Vec::new(),
    }
}

/// Without a header: short texts of letters, of which several rows have the same.
fn likely<'s>(survey: &'s Survey<'_>) -> Option<&'s Column> {
    let is_name = |cell: &&str| {
        let count = cell.chars().count();
        let han = cell.chars().all(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter) || letter == '·');
        let words = cell.split_whitespace().count();
        let letters = cell.chars().all(|letter| letter.is_alphabetic() || " .'-,".contains(letter));
        (han && (2..=4).contains(&count))
            || (letters && (2..=4).contains(&words) && cell.chars().next().is_some_and(char::is_uppercase))
    };
    let unknown = survey.columns.iter().filter(|column| column.said.is_none() && is_filled(column, survey));
    unknown
        .into_iter()
        .find(|column| percent(column.filled().filter(is_name).count(), column.count()) >= 80 && column.distinct() > 1)
}

/// Chooses the column of the station, or a name for all rows.
pub(super) fn station(draft: &mut Draft, survey: &Survey<'_>) {
    let used = draft.used();
    let fits = |column: &&Column| {
        let is_text = !has_times(column) && !column.has_numbers();
        is_text && percent(column.count(), survey.sampled()) >= 80 && !used.contains(&column.at) && !column.is_weak()
    };
    if let Some(column) = survey.of(Role::Station).find(fits) {
        draft.set(Field::Station, &[column], "");
        return;
    }
    let place = draft.place(survey);
    draft.unsure.push(format!("station: no column has it, so that it stands under [constants], as {place:?}; edit it"));
    draft.station = Some(place);
    draft.maybe_station = survey.of(Role::Client).chain(survey.of(Role::Project)).find(fits).map(|column| column.at);
}
