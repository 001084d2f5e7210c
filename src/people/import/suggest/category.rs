//! What was done: a column of categories, and codes for their words.

use std::collections::BTreeSet;

use super::{
    super::mapping::Field,
    draft::Draft,
    kind::percent,
    survey::{Column, Survey},
    words::{Role, has, normal},
};
use crate::ledger::Code;

/// Words that a mapping may reasonably list.
const WORDS_MAX: usize = 64;
const CODE_BYTES_MAX: usize = 32;

/// Codes by words that services are called by.
const CODES: [(&str, &[&str]); 24] = [
    ("meals", &["助餐", "送餐", "用餐", "meal", "meals", "kitchen", "lunch", "soup"]),
    ("medical", &["就医", "陪诊", "就醫", "看病", "arzt", "medico", "hospital", "doctor"]),
    ("medicine", &["药", "藥", "pharmacy"]),
    ("patrol", &["巡逻", "巡邏", "patrol"]),
    ("hair", &["理发", "理髮", "haircut"]),
    ("books", &["图书", "圖書", "library", "reading", "vorlesen", "lectura"]),
    ("recycling", &["垃圾", "recycling"]),
    ("phone", &["电话", "電話", "phone", "befriending call"]),
    ("digital", &["手机使用", "电脑", "智能", "digital"]),
    ("health", &["健康", "health", "fit india"]),
    ("visit", &["探访", "探訪", "走访", "陪伴", "visit", "besuch", "besuchsdienst", "befriending"]),
    ("shopping", &["代购", "購物", "shopping", "einkauf", "einkaufshilfe"]),
    ("transport", &["接送", "driving", "transport", "fahrdienst", "fahrt", "rides"]),
    ("garden", &["园艺", "绿化", "garden", "gardening", "gartenpflege", "hort", "jardin"]),
    ("repair", &["维修", "維修", "repair", "reparatur", "reparaturen", "reparacion", "reparar"]),
    (
        "teaching",
        &["辅导", "輔導", "教学", "homework", "hausaufgabenhilfe", "teaching", "tutoring", "clases", "classes"],
    ),
    ("cleaning", &["保洁", "清洁", "清潔", "打扫", "cleaning", "reinigung"]),
    ("environment", &["环保", "環保", "environment", "conservation"]),
    ("food", &["food", "pantry", "aliments", "alimentos", "lebensmittel"]),
    ("training", &["培训", "培訓", "training", "schulung"]),
    ("culture", &["文化", "文艺", "culture", "kultur", "museum"]),
    ("admin", &["行政", "办公", "admin", "office", "verwaltung"]),
    ("sewing", &["costura", "sewing", "nahen"]),
    ("care", &["照护", "照護", "护理", "看护", "care", "pflege", "acompanamiento", "acompanyament", "begleitung"]),
];

/// Chooses the column of categories.
pub(super) fn category(draft: &mut Draft, survey: &Survey<'_>) {
    let used = draft.used();
    let fits = |column: &&Column| {
        let is_text = !(column.has_dates() || column.has_moments() || column.has_spans());
        is_text
            && !column.is_weak()
            && percent(column.count(), survey.sampled()) >= 30
            && !used.contains(&column.at)
            && !is_key(column)
    };
    // Descriptions are of free words mostly: behind others.
    let is_free = |column: &&Column| ["descri", "beschr"].iter().any(|word| normal(&column.name).contains(word));
    let of = |free: bool| survey.of(Role::Content).filter(move |column| is_free(column) == free);
    let candidates =
        survey.of(Role::Category).chain(of(false)).chain(survey.of(Role::Project)).chain(of(true)).filter(fits);
    let mut too_many = Vec::new();
    for column in candidates {
        let Some(values) = survey.values(column.at, WORDS_MAX) else {
            too_many.push(column);
            continue;
        };
        // A word for all rows alike tells nothing, and one for each row is no category.
        let rows: usize = values.iter().map(|(_, count)| count).sum();
        if values.len() < 2 && rows > 1 || values.len() * 10 > rows.max(10) * 9 {
            continue;
        }
        let is_code = |value: &str| Code::new(value, CODE_BYTES_MAX).is_some();
        draft.set(Field::Category, &[column], "");
        if values.iter().all(|(value, _)| is_code(value)) {
            return;
        }
        draft.categories = codes(&values);
        draft.unsure.push(format!(
            "categories: codes for the {} words under {:?} are proposals; a word that is new next month needs one too",
            values.len(),
            column.name
        ));
        return;
    }
    if let Some(column) = too_many.first() {
        draft.notes.push(format!("{}: more than {WORDS_MAX} different texts, so that it is no category", column.name));
    }
}

/// Keys of another program's table, which say nothing to people.
fn is_key(column: &Column) -> bool {
    column.has_codes() && column.filled().all(|cell| cell.len() >= 15)
}

/// A code for each word that is none itself.
fn codes(values: &[(String, usize)]) -> Vec<(String, String)> {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let mut codes = Vec::new();
    for (value, _) in values {
        let text = normal(value);
        let known = CODES.iter().find(|(_, words)| words.iter().any(|word| has(&text, word)));
        let mut code = known.map_or_else(|| slug(&text), |(code, _)| (*code).to_owned());
        if code.is_empty() || Code::new(&code, CODE_BYTES_MAX).is_none() || taken.contains(&code) {
            let own = slug(&text);
            code = if own.is_empty() || taken.contains(&own) { free(&code, &taken) } else { own };
        }
        taken.insert(code.clone());
        codes.push((value.clone(), code));
    }
    codes
}

/// A code that no other word has: with a number behind it.
fn free(code: &str, taken: &BTreeSet<String>) -> String {
    let stem = if code.is_empty() { "c".to_owned() } else { format!("{code}-") };
    let from = if code.is_empty() { 1 } else { 2 };
    // One more than words that may be taken.
    (from..=WORDS_MAX + 2)
        .map(|number| format!("{stem}{number}"))
        .find(|code| !taken.contains(code))
        .unwrap_or_default()
}

/// The ASCII words of a text, as far as they fit; nothing where it is of other letters.
fn slug(text: &str) -> String {
    if !text.is_ascii() {
        return String::new();
    }
    let mut slug = String::new();
    for word in text.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        if slug.len() + word.len() >= CODE_BYTES_MAX {
            break;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(word);
    }
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_gets_a_code_of_its_own() {
        let words = ["助餐送餐", "用餐服务", "Gartenpflege", "宣传", "折纸", "A b c", "a-b-c", "x".repeat(50).as_str()]
            .map(|word| (word.to_owned(), 1));
        let found: Vec<String> = codes(&words).into_iter().map(|(_, code)| code).collect();
        assert_eq!(found[..2], ["meals", "meals-2"]);
        assert_eq!(found[2..7], ["garden", "c1", "c2", "a-b-c", "a-b-c-2"]);
        assert!(found.iter().all(|code| Code::new(code, CODE_BYTES_MAX).is_some()), "{found:?}");
    }
}
