//! One call of a file tool, read from its arguments.

use std::path::Path;

use callgate_text::{Json, Object};

use crate::folder::Folder;
use crate::{Done, Fault};

/// What a file tool is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// `read_file`.
    Read {
        /// The file.
        path: String,
        /// The first line, from 1.
        offset: u64,
        /// How many lines at most.
        limit: u64,
    },
    /// `write_file`.
    Write {
        /// The file.
        path: String,
        /// What stands in it afterwards.
        content: String,
        /// Whether folders on the way are made.
        create_parents: bool,
    },
    /// `edit_file`.
    Edit {
        /// The file.
        path: String,
        /// One after the other, all or none.
        edits: Vec<Edit>,
    },
    /// `search_files`.
    Search {
        /// The regular expression.
        pattern: String,
        /// The folder or file.
        path: String,
        /// Which files below it.
        glob: Option<String>,
        /// Whether upper and lower case are the same.
        ignore_case: bool,
        /// How many lines at most.
        limit: usize,
    },
    /// `list_directory`.
    List {
        /// The folder.
        path: String,
        /// How many levels.
        depth: usize,
    },
}

/// One replacement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// What goes.
    pub old_text: String,
    /// What comes.
    pub new_text: String,
    /// Wherever it stands, and not only where it stands once.
    pub replace_all: bool,
}

/// Lines that are read unless told.
const LINES: u64 = 2000;

/// Lines that are found unless told.
const FOUND: usize = 200;

impl Work {
    /// Reads the arguments of a file tool; `None` if `tool` is none.
    ///
    /// # Errors
    /// What is wrong with the arguments. What policy let pass is right, but nothing here relies on that.
    pub fn of(tool: &str, arguments: Option<&Object>) -> Option<Result<Self, Fault>> {
        let arguments = Arguments(arguments.cloned().unwrap_or_default());
        Some(match tool {
            "read_file" => read(arguments),
            "write_file" => write(arguments),
            "edit_file" => edit(arguments),
            "search_files" => search(arguments),
            "list_directory" => list(arguments),
            _ => return None,
        })
    }

    /// Does it, below `workspace`, which is also where relative paths begin.
    ///
    /// # Errors
    /// Why nothing was done.
    pub fn run(&self, workspace: &Path) -> Result<Done, Fault> {
        let folder = Folder::open(workspace)?;
        match self {
            Self::Read { path, offset, limit } => crate::read::read(&folder, path, *offset, *limit),
            Self::Write { path, content, create_parents } => {
                crate::write::write(&folder, path, content, *create_parents)
            }
            Self::Edit { path, edits } => crate::edit::edit(&folder, path, edits),
            Self::Search { pattern, path, glob, ignore_case, limit } => {
                let wanted = crate::search::Wanted::new(pattern, glob.as_deref(), *ignore_case, *limit)?;
                crate::search::search(&folder, path, &wanted)
            }
            Self::List { path, depth } => crate::list::list(&folder, path, *depth),
        }
    }
}

fn read(mut arguments: Arguments) -> Result<Work, Fault> {
    let path = arguments.required("path")?;
    let offset = arguments.number("offset", 1, 1_000_000_000)?.unwrap_or(1);
    let limit = arguments.number("limit", 1, 100_000)?.unwrap_or(LINES);
    arguments.end()?;
    Ok(Work::Read { path, offset, limit })
}

fn write(mut arguments: Arguments) -> Result<Work, Fault> {
    let path = arguments.required("path")?;
    let content = arguments.text("content")?.ok_or_else(|| missing("content"))?;
    let create_parents = arguments.flag("create_parents")?;
    arguments.end()?;
    Ok(Work::Write { path, content, create_parents })
}

fn edit(mut arguments: Arguments) -> Result<Work, Fault> {
    let path = arguments.required("path")?;
    let edits = match arguments.0.remove("edits") {
        Some(Json::Array(edits)) if !edits.is_empty() => edits,
        _ => return Err(Fault::invalid("`edits` is a list of at least one edit")),
    };
    arguments.end()?;
    let one = |edit| {
        let Json::Object(edit) = edit else { return Err(Fault::invalid("an edit is an object")) };
        let mut edit = Arguments(edit);
        let read = Edit {
            old_text: edit.required("old_text")?,
            new_text: edit.text("new_text")?.ok_or_else(|| missing("new_text"))?,
            replace_all: edit.flag("replace_all")?,
        };
        edit.end()?;
        Ok(read)
    };
    Ok(Work::Edit { path, edits: edits.into_iter().map(one).collect::<Result<_, _>>()? })
}

fn search(mut arguments: Arguments) -> Result<Work, Fault> {
    let pattern = arguments.required("pattern")?;
    let path = arguments.text("path")?.unwrap_or_else(|| ".".to_owned());
    let glob = arguments.text("glob")?;
    let ignore_case = arguments.flag("ignore_case")?;
    let limit = arguments.number("limit", 1, 1000)?.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(FOUND);
    arguments.end()?;
    Ok(Work::Search { pattern, path, glob, ignore_case, limit })
}

fn list(mut arguments: Arguments) -> Result<Work, Fault> {
    let path = arguments.text("path")?.unwrap_or_else(|| ".".to_owned());
    let depth = arguments.number("depth", 1, 8)?.and_then(|depth| usize::try_from(depth).ok()).unwrap_or(1);
    arguments.end()?;
    Ok(Work::List { path, depth })
}

fn missing(key: &str) -> Fault {
    Fault::invalid(format!("`{key}` is missing"))
}

/// Arguments, taken out one by one; what is left over is refused.
pub(crate) struct Arguments(pub(crate) Object);

impl Arguments {
    pub(crate) fn text(&mut self, key: &str) -> Result<Option<String>, Fault> {
        match self.0.remove(key) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(Fault::invalid(format!("`{key}` is text"))),
        }
    }

    /// A text that is there and not empty.
    pub(crate) fn required(&mut self, key: &str) -> Result<String, Fault> {
        self.text(key)?.filter(|text| !text.is_empty()).ok_or_else(|| missing(key))
    }

    pub(crate) fn flag(&mut self, key: &str) -> Result<bool, Fault> {
        match self.0.remove(key) {
            None => Ok(false),
            Some(Json::Bool(flag)) => Ok(flag),
            Some(_) => Err(Fault::invalid(format!("`{key}` is true or false"))),
        }
    }

    pub(crate) fn number(&mut self, key: &str, least: u64, most: u64) -> Result<Option<u64>, Fault> {
        let Some(number) = self.0.remove(key) else { return Ok(None) };
        let number = number.as_i64().and_then(|number| u64::try_from(number).ok());
        let number = number.filter(|number| (least..=most).contains(number));
        number.map(Some).ok_or_else(|| Fault::invalid(format!("`{key}` is a whole number from {least} to {most}")))
    }

    pub(crate) fn end(self) -> Result<(), Fault> {
        match self.0.iter().next() {
            None => Ok(()),
            Some((key, _)) => Err(Fault::invalid(format!("`{}` is no argument", key.escape_debug()))),
        }
    }
}
