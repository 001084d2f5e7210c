//! Where audits are remembered, and what there is to say where they can't be.

use std::{fs, path::PathBuf};

use super::OwnFiles;
use crate::cli::output::usage;

/// Where audits are remembered.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// In a folder that the auditor named: it has to serve.
    Named(PathBuf),
    /// In the folder of a person who named none.
    OfPerson(PathBuf),
    /// In a folder that is only read, and why nothing is written to it.
    LeftAlone(PathBuf, String),
    /// There is no such folder, and why.
    Nowhere(String),
}

impl Place {
    /// The folder that the auditor named.
    ///
    /// # Errors
    /// It can't be one.
    pub(super) fn named(folder: PathBuf) -> anyhow::Result<Self> {
        let wrong = |problem: &dyn std::fmt::Display| usage(format!("--memory {}: {problem}", folder.display()));
        if folder.exists() && !folder.is_dir() {
            return Err(wrong(&"it is no folder"));
        }
        fs::create_dir_all(&folder).map_err(|error| wrong(&error))?;
        Ok(Self::Named(folder))
    }

    /// The folder of a person who named none.
    pub(super) fn of_person() -> Self {
        let Some(state) = dirs::state_dir().or_else(dirs::data_local_dir) else {
            return Self::Nowhere("you have no home folder; name a folder with --memory".to_owned());
        };
        let folder = state.join("timebank").join("audits");
        match fs::create_dir_all(&folder) {
            // One that is there can be read at least.
            Err(error) if !folder.is_dir() => {
                Self::Nowhere(format!("{}: {error}; name another folder with --memory", folder.display()))
            }
            Ok(()) | Err(_) => Self::OfPerson(folder),
        }
    }

    /// The same place, to be read alone, after the files that an audit makes there failed: a disk may be full. An audit
    /// without them takes longer, and comes to the same verdict.
    ///
    /// # Errors
    /// Something else was in its way, or nothing was written there.
    pub(super) fn left_alone(&self, error: anyhow::Error) -> anyhow::Result<Self> {
        match self {
            Self::Named(folder) | Self::OfPerson(folder) if error.is::<OwnFiles>() => {
                let problem = format!("{}: {error:#}", folder.display());
                Ok(Self::LeftAlone(folder.clone(), problem))
            }
            Self::Named(_) | Self::OfPerson(_) | Self::LeftAlone(..) | Self::Nowhere(_) => Err(error),
        }
    }
}
