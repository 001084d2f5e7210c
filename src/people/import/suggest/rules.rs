//! Which rows are records, and what of them stands in other rows.

use super::{
    super::mapping::Field,
    draft::Draft,
    kind::percent,
    survey::{Column, Survey},
    words::{Role, normal},
};

/// States of a record that counts; those of the first line before those of the second.
const GOOD: [&[&str]; 2] = [
    &[
        "已生效",
        "有效",
        "生效",
        "已完成",
        "完成",
        "已审核",
        "审核通过",
        "已通过",
        "通过",
        "已确认",
        "已核准",
        "核准",
        "completed",
        "complete",
        "done",
        "committed",
        "effective",
        "approved",
        "accepted",
        "valid",
        "verified",
        "finished",
        "closed",
        "erledigt",
        "genehmigt",
        "abgeschlossen",
        "freigegeben",
        "gultig",
        "valide",
        "approuve",
        "termine",
        "completado",
        "aprobado",
        "finalizado",
        "aceptado",
        "validado",
        "yes",
        "ja",
        "oui",
        "si",
        "是",
        "true",
    ],
    &[
        "confirmed",
        "bestatigt",
        "confirme",
        "confirmado",
        "正常",
        "active",
        "attended",
        "present",
        "已签退",
        "paid",
        "settled",
    ],
];
/// A column of states has few of them.
const STATES_MAX: usize = 12;

/// Only rows that are in force are records.
pub(super) fn status(draft: &mut Draft, survey: &Survey<'_>) {
    for column in survey.of(Role::Status).filter(|column| percent(column.count(), survey.sampled()) >= 80) {
        let Some(values) = survey.values(column.at, STATES_MAX) else { continue };
        let of = |words: &[&str]| -> Vec<String> {
            let good = values.iter().filter(|(value, _)| words.contains(&normal(value).as_str()));
            good.map(|(value, _)| value.clone()).collect()
        };
        let good = GOOD.iter().map(|words| of(words)).find(|found| !found.is_empty());
        let others = |good: &[String]| -> Vec<String> {
            values
                .iter()
                .filter(|(value, _)| !good.contains(value))
                .map(|(value, count)| format!("{value} ({count})"))
                .collect()
        };
        let Some(good) = good else {
            let words = others(&[]).join(", ");
            draft.notes.push(format!("{}: a state, and no word of it is known for done: {words}", column.name));
            continue;
        };
        let others = others(&good);
        if !others.is_empty() {
            draft.unsure.push(format!(
                "only_if: rows with another {:?} are left out: {}",
                column.name,
                others.join(", ")
            ));
        }
        draft.only_if = Some((column.at, good));
        return;
    }
}

const ADD: [&str; 13] =
    ["a", "add", "added", "new", "create", "created", "insert", "i", "n", "新增", "增加", "添加", "加"];
const CHANGE: [&str; 13] =
    ["u", "m", "c", "change", "changed", "update", "updated", "modify", "edit", "修改", "更改", "更新", "異動"];
const DELETE: [&str; 9] = ["d", "del", "delete", "deleted", "remove", "removed", "cancel", "删除", "刪除"];

/// Names columns that nothing reads and whose header says that a row may not have been served.
pub(super) fn unread_states(draft: &mut Draft, survey: &Survey<'_>) {
    let words = [
        "attend",
        "show",
        "cancel",
        "delet",
        "void",
        "valid",
        "到场",
        "到場",
        "出席",
        "缺席",
        "作废",
        "作廢",
        "取消",
        "删除",
        "刪除",
        "有效",
        "是否",
        "storniert",
        "anwesend",
        "present",
        "annul",
    ];
    let mut used = draft.used();
    used.extend(draft.only_if.as_ref().map(|(at, _)| *at));
    for column in survey.columns.iter().filter(|column| !used.contains(&column.at) && column.count() > 0) {
        let name = column.name.to_lowercase();
        if words.iter().any(|word| name.contains(word)) {
            draft.unsure.push(format!(
                "{:?} may say that a row was not served, and nothing reads it: see [only_if]",
                column.name
            ));
        }
    }
}

/// Rows that say what to do.
pub(super) fn operation(draft: &mut Draft, survey: &Survey<'_>) {
    let filled = survey.of(Role::Operation).filter(|column| percent(column.count(), survey.sampled()) >= 80);
    for column in filled {
        let Some(values) = survey.values(column.at, 3) else { continue };
        let of = |words: &[&str]| {
            values.iter().map(|(value, _)| value).find(|value| words.contains(&normal(value).as_str())).cloned()
        };
        let found = [of(&ADD), of(&CHANGE), of(&DELETE)];
        if found.iter().flatten().count() != values.len() || found.iter().all(Option::is_none) {
            draft
                .notes
                .push(format!("{}: not read, as its words are none for adding, changing and deleting", column.name));
            continue;
        }
        // A letter for one word has letters for the others.
        let is_letter = found.iter().flatten().all(|word| word.len() == 1);
        let other = if is_letter { ["A", "U", "D"] } else { ["add", "change", "delete"] };
        let is_guessed = found.iter().any(Option::is_none);
        let [add, change, delete] = found;
        let word = |word: Option<String>, other: &str| word.unwrap_or_else(|| other.to_owned());
        let [other_add, other_change, other_delete] = other;
        draft.operations = Some([word(add, other_add), word(change, other_change), word(delete, other_delete)]);
        draft.set(Field::Operation, &[column], "rows are operations, in their order: each is carried out once, ever");
        if is_guessed {
            draft
                .unsure
                .push(format!("operations: not all words occur under {:?}; those that don't are guessed", column.name));
        }
        return;
    }
}

/// Columns with the blanks that merged cells leave.
pub(super) fn fill_down(draft: &mut Draft, survey: &Survey<'_>) {
    let amounts = [Field::Hours, Field::Minutes, Field::Seconds, Field::End, Field::Interval];
    let amount: Vec<usize> = amounts.into_iter().flat_map(|field| draft.get(field).to_vec()).collect();
    let is_record = |row: usize| amount.iter().any(|at| !is_blank(survey, *at, row));
    let records: Vec<usize> = (0..survey.sampled()).filter(|row| is_record(*row)).collect();
    let Some(first) = records.first() else { return };
    let names: Vec<usize> =
        [Role::Name, Role::Number].into_iter().flat_map(|role| survey.of(role)).map(|column| column.at).collect();
    let candidates =
        [Field::Volunteer, Field::Date, Field::Station].into_iter().flat_map(|field| draft.get(field).to_vec());
    let mut filled = Vec::new();
    for at in candidates.collect::<Vec<_>>() {
        let blanks: Vec<usize> = records.iter().copied().filter(|row| is_blank(survey, at, *row)).collect();
        let share = percent(blanks.len(), records.len());
        let begins = !is_blank(survey, at, *first);
        // Who has a name and no number is somebody else than the person above.
        let is_other = |row: &usize| names.contains(&at) && names.iter().any(|name| !is_blank(survey, *name, *row));
        // Merging is a habit: a single blank is a name that was forgotten, and nobody else's hour.
        if begins && blanks.len() > 1 && (8..=90).contains(&share) && !blanks.iter().any(is_other) {
            filled.push(at);
        }
    }
    let says_nothing = |row: &usize| {
        let shown = survey.columns.iter().filter(|column| !is_blank(survey, column.at, *row));
        filled.len() > 1 && shown.count() <= amount.len()
    };
    if records.iter().any(says_nothing) {
        draft.unsure.push(
            "fill_down: some rows have an amount and nothing else; sums without a word for it? Delete them".to_owned(),
        );
        return;
    }
    if !filled.is_empty() {
        let names: Vec<&str> = filled.iter().map(|at| draft.name(*at)).collect();
        let names = names.join(", ");
        draft
            .unsure
            .push(format!("fill_down: blanks under {names} are taken for merged cells, as what stands above them"));
        draft.fill_down = filled;
    }
}

fn is_blank(survey: &Survey<'_>, at: usize, row: usize) -> bool {
    survey.columns.get(at).and_then(|column: &Column| column.cells.get(row)).is_none_or(String::is_empty)
}
