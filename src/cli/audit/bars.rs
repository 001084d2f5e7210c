//! How far an audit is, on a terminal.

use std::sync::{Mutex, PoisonError};

use indicatif::ProgressBar;

use crate::{cli::output::progress, trust::audit::Progress};

/// The bar of what is under way, if anything is.
#[derive(Default)]
pub(super) struct Bars(Mutex<Option<Bar>>);

struct Bar {
    bar: ProgressBar,
    items: &'static str,
}

impl Bars {
    /// Shows how far it is.
    pub(super) fn show(&self, told: Progress) {
        let mut shown = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (items, entries, all) = match told {
            Progress::Known { entries, all } => ("entries known", entries, Some(all)),
            Progress::Replayed { entries, all } => ("entries", entries, all),
            Progress::Ended => {
                if let Some(ended) = shown.take() {
                    ended.bar.finish_and_clear();
                }
                return;
            }
        };
        let under_way = shown.take().filter(|shown| shown.items == items);
        let bar = under_way.unwrap_or_else(|| Bar { bar: progress(all, items), items });
        bar.bar.set_position(entries);
        *shown = Some(bar);
    }
}
