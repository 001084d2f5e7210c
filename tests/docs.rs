//! The pages: each is found from the index, says for whom it is, and links to what is there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All pages of the project, with their paths.
fn pages() -> Vec<(PathBuf, String)> {
    let folders = [root(), root().join("docs"), root().join("proto")];
    let files = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()));
    let pages = files.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// Where the links of a page lead, without those to other sites.
fn links(text: &str) -> Vec<&str> {
    let after = text.split("](").skip(1);
    let targets = after.filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    targets.filter(|target| !target.contains("://")).collect()
}

/// The anchor that a heading gets: lower case, blanks as hyphens, no punctuation.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

/// What of a link isn't there.
fn broken(page: &Path, target: &str) -> Option<String> {
    let (file, wanted) = target.split_once('#').unwrap_or((target, ""));
    let path = if file.is_empty() { page.to_owned() } else { page.parent().unwrap().join(file) };
    if !path.exists() {
        return Some(format!("{}: {target} is not there", page.display()));
    }
    let headings = if wanted.is_empty() { String::new() } else { fs::read_to_string(&path).unwrap() };
    let found = wanted.is_empty() || headings.lines().any(|line| line.starts_with('#') && anchor(line) == wanted);
    (!found).then(|| format!("{}: {target} has no such heading", page.display()))
}

#[test]
fn every_link_leads_somewhere() {
    let pages = pages();
    assert!(pages.len() > 15, "{} pages", pages.len());
    let all: Vec<(&PathBuf, &str)> =
        pages.iter().flat_map(|(path, text)| links(text).into_iter().map(move |link| (path, link))).collect();
    assert!(all.len() > 40, "{} links", all.len());
    let broken: Vec<String> = all.iter().filter_map(|(path, link)| broken(path, link)).collect();
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn every_page_is_in_the_index_and_says_for_whom_it_is() {
    let index = fs::read_to_string(root().join("docs/README.md")).unwrap();
    let listed = links(&index);
    for (path, text) in pages() {
        if path.parent() != Some(&root().join("docs")) {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name == "README.md" || listed.contains(&name), "docs/README.md doesn't list {name}");
        let first = text.lines().skip(1).find(|line| !line.is_empty()).unwrap_or_default();
        assert!(first.starts_with("For "), "docs/{name} doesn't say for whom it is: {first}");
    }
}

#[test]
fn the_checks_see_what_they_refuse() {
    assert_eq!(links("[a](b.md) ![c](d/e.svg) [f](https://g.example/) [h](#i-j)"), ["b.md", "d/e.svg", "#i-j"]);
    assert_eq!(anchor("## 1. Submit your first sheet"), "1-submit-your-first-sheet");
    let page = root().join("docs/README.md");
    assert!(broken(&page, "nowhere.md").is_some() && broken(&page, "#for-nobody").is_some());
    assert!(broken(&page, "stations.md#recording").is_none());
}
