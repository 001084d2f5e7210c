//! How far long work is, on a terminal.

use std::{
    ops::ControlFlow,
    sync::{Mutex, PoisonError},
};

use indicatif::ProgressBar;

use super::output::progress;
use crate::engine::progress::{Progress, Work};

/// The bar of what is under way, if anything is; and whether somebody wants no more.
#[derive(Default)]
pub(crate) struct Bars<'a> {
    shown: Mutex<Option<(Work, ProgressBar)>>,
    is_stopped: Option<&'a (dyn Fn() -> bool + Sync)>,
}

impl<'a> Bars<'a> {
    /// Bars of work that ends where somebody wants no more of it.
    pub(crate) fn until(is_stopped: &'a (dyn Fn() -> bool + Sync)) -> Self {
        Self { shown: Mutex::default(), is_stopped: Some(is_stopped) }
    }
}

impl Progress for Bars<'_> {
    fn told(&self, work: Work, done: u64, all: Option<u64>) -> ControlFlow<()> {
        let items = match work {
            Work::KnownEntries => "entries known",
            Work::Entries => "entries",
            Work::Rows => "rows",
            Work::Days => "days",
        };
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = shown.take().filter(|(before, _)| *before == work);
        let (_, bar) = shown.insert(under_way.unwrap_or_else(|| (work, progress(all, items))));
        bar.set_position(done);
        if self.is_stopped.is_some_and(|is_stopped| is_stopped()) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn ended(&self) {
        if let Some((_, bar)) = self.shown.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }
}
