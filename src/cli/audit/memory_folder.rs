//! Which folder audits are remembered in: the one that the auditor named, or the one of a person who named none.

use std::{fs, path::PathBuf};

use crate::{cli::output::usage, trust::audit::MemoryFolder};

/// The folder that the auditor named.
///
/// # Errors
/// It can't be one.
pub(super) fn named(folder: PathBuf) -> anyhow::Result<MemoryFolder> {
    let wrong = |problem: &dyn std::fmt::Display| usage(format!("--memory {}: {problem}", folder.display()));
    if folder.exists() && !folder.is_dir() {
        return Err(wrong(&"it is no folder"));
    }
    fs::create_dir_all(&folder).map_err(|error| wrong(&error))?;
    Ok(MemoryFolder::Named(folder))
}

/// The folder of a person who named none.
pub(super) fn of_person() -> MemoryFolder {
    let Some(state) = dirs::state_dir().or_else(dirs::data_local_dir) else {
        return MemoryFolder::Nowhere("you have no home folder; name a folder with --memory".to_owned());
    };
    let folder = state.join("timebank").join("audits");
    match fs::create_dir_all(&folder) {
        // One that is there can be read at least.
        Err(error) if !folder.is_dir() => {
            MemoryFolder::Nowhere(format!("{}: {error}; name another folder with --memory", folder.display()))
        }
        Ok(()) | Err(_) => MemoryFolder::OfPerson(folder),
    }
}
