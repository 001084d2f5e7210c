//! `timebank man`: what packages are made with.

use std::path::{Path, PathBuf};

use clap::CommandFactory;

use super::output::usage;

/// Write a man page for every command.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  timebank man ~/.local/share/man/man1")]
pub(crate) struct Arguments {
    /// Folder for the pages, which has to be there.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let folder = &arguments.folder;
    let wrong = |path: &Path| {
        let path = path.display().to_string();
        move |error: std::io::Error| usage(format!("{path}: {error}"))
    };
    // That it is there; a page's name in the error would say less.
    std::fs::read_dir(folder).map_err(wrong(folder))?;
    // Elsewhere first: in the folder may be pages of others.
    let made = tempfile::tempdir().map_err(wrong(&std::env::temp_dir()))?;
    clap_mangen::generate_to(super::Cli::command(), made.path()).map_err(wrong(made.path()))?;
    for file in std::fs::read_dir(made.path()).map_err(wrong(made.path()))? {
        let file = file.map_err(wrong(made.path()))?;
        let page = std::fs::read_to_string(file.path()).map_err(wrong(&file.path()))?;
        let path = folder.join(file.file_name());
        #[allow(clippy::disallowed_methods, reason = "pages are made again at will")]
        std::fs::write(&path, as_written(&page)).map_err(wrong(&path))?;
    }
    Ok(())
}

/// A page whose examples keep their lines and blanks, so that they can be copied, and whose foot names the program.
fn as_written(page: &str) -> String {
    let mut lines = Vec::new();
    for line in page.lines() {
        match line {
            "Examples:" | "Example:" if lines.last().is_some_and(|last| last == ".nf") => {
                lines.splice(lines.len() - 2.., [".SH EXAMPLES".to_owned(), ".nf".to_owned()]);
            }
            ".SH EXTRA" => lines.extend([".SH NOTES".to_owned(), ".nf".to_owned()]),
            ".SH VERSION" => lines.extend([".fi".to_owned(), line.to_owned()]),
            title if title.starts_with(".TH ") => {
                let name = title.split('"').next().unwrap_or_default();
                lines.push(format!("{name}\"timebank {}\"", env!("CARGO_PKG_VERSION")));
            }
            other => lines.push(other.to_owned()),
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_a_page_keep_their_blanks_and_its_foot_names_the_program() {
        let page =
            ".TH timebank-key 1  \"key \" \n.SH EXTRA\nExamples:\n  timebank key  new\n\nMore.\n.SH VERSION\nv1\n";
        let version = env!("CARGO_PKG_VERSION");
        let expected = format!(
            ".TH timebank-key 1  \"timebank {version}\"\n.SH EXAMPLES\n.nf\n  timebank key  new\n\nMore.\n.fi\n.SH VERSION\nv1\n"
        );
        assert_eq!(as_written(page), expected);
    }
}
