//! `edit_file`: passages replaced, all or none.

use std::fs::File;
use std::io::Read;

use callgate_text::Json;

use crate::done::{Kind, count};
use crate::folder::{Folder, wrote};
use crate::read::binary;
use crate::work::Edit;
use crate::write::replace;
use crate::{Done, Fault};

/// The longest file that is edited, before and after.
const MOST_BYTES: usize = 8 << 20;

pub(crate) fn edit(folder: &Folder, path: &str, edits: &[Edit]) -> Result<Done, Fault> {
    let spot = folder.spot_to_write(path)?;
    let (file, _) = folder.file(&spot)?;
    let mut bytes = Vec::new();
    let limit = u64::try_from(MOST_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let read = File::from(file).take(limit).read_to_end(&mut bytes);
    read.map_err(|error| Fault::new(Kind::Failed, format!("`{}`: {error}", spot.shown())))?;
    let too_large = || Fault::new(Kind::TooLarge, format!("`{}` is longer than 8 MiB", spot.shown()));
    if bytes.len() > MOST_BYTES {
        return Err(too_large());
    }
    let before = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')).ok_or_else(|| binary(&spot))?;
    let (after, replaced) = apply(&before, edits)?;
    if after.len() > MOST_BYTES {
        return Err(too_large());
    }
    if after != before {
        replace(folder, &spot, after.as_bytes(), false)?;
    }
    let what =
        if replaced == 1 { "Replaced 1 passage in".to_owned() } else { format!("Replaced {replaced} passages in") };
    Ok(wrote(&spot, &what).with("replaced", count(replaced)).with("changed", Json::Bool(after != before)))
}

/// The text after all edits, each on what the one before left, and how many passages went.
///
/// In a text whose every line ends with CR LF, passages may be written with either line end; what comes in gets CR LF.
fn apply(before: &str, edits: &[Edit]) -> Result<(String, usize), Fault> {
    let feeds = before.matches('\n').count();
    let windows = feeds > 0 && before.matches("\r\n").count() == feeds && before.matches('\r').count() == feeds;
    let plain = |text: &str| if windows { text.replace("\r\n", "\n") } else { text.to_owned() };
    let mut text = plain(before);
    let mut replaced = 0;
    for (index, edit) in edits.iter().enumerate() {
        let (old, new) = (plain(&edit.old_text), plain(&edit.new_text));
        let number = index + 1;
        let Some(first) = text.find(&old) else {
            let message = format!("edit {number}: its old text is not in the file; nothing was changed");
            return Err(Fault::new(Kind::NoMatch, message));
        };
        if edit.replace_all {
            replaced += text.matches(&old).count();
            let grown = text.len().saturating_add(text.matches(&old).count().saturating_mul(new.len()));
            if grown > 2 * MOST_BYTES {
                return Err(Fault::new(Kind::TooLarge, format!("edit {number}: the file would be longer than 8 MiB")));
            }
            text = text.replace(&old, &new);
            continue;
        }
        // One that overlaps the first is another place, too.
        let step = old.chars().next().map_or(1, char::len_utf8);
        let again = text.get(first + step..).is_some_and(|rest| rest.contains(&old));
        if again {
            let message = format!(
                "edit {number}: its old text is in the file more than once; nothing was changed: give more of what \
                 stands around it, or say replace_all"
            );
            return Err(Fault::new(Kind::Ambiguous, message));
        }
        text.replace_range(first..first + old.len(), &new);
        replaced += 1;
    }
    Ok((if windows { text.replace('\n', "\r\n") } else { text }, replaced))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(old: &str, new: &str, replace_all: bool) -> Edit {
        Edit { old_text: old.to_owned(), new_text: new.to_owned(), replace_all }
    }

    fn one(before: &str, old: &str, new: &str) -> Result<String, Kind> {
        apply(before, &[edit(old, new, false)]).map(|(text, _)| text).map_err(|fault| fault.kind)
    }

    #[test]
    fn a_passage_is_replaced_where_it_stands_once() {
        assert_eq!(one("a b c", "b", "x").as_deref(), Ok("a x c"));
        assert_eq!(one("a b b", "b", "x"), Err(Kind::Ambiguous));
        assert_eq!(one("aaa", "aa", "x"), Err(Kind::Ambiguous));
        assert_eq!(one("a", "b", "x"), Err(Kind::NoMatch));
        assert_eq!(one("ééé", "éé", "x"), Err(Kind::Ambiguous));
    }

    #[test]
    fn all_edits_or_none_and_each_on_what_the_one_before_left() {
        let edits = [edit("a", "b", false), edit("b", "c", true)];
        assert_eq!(apply("a b", &edits).unwrap(), ("c c".to_owned(), 3));
        assert_eq!(apply("a", &[edit("a", "b", false), edit("z", "", false)]).unwrap_err().kind, Kind::NoMatch);
    }

    #[test]
    fn line_ends_stay_as_the_file_has_them() {
        assert_eq!(one("a\r\nb\r\n", "a\nb", "x\ny").as_deref(), Ok("x\r\ny\r\n"));
        assert_eq!(one("a\r\nb\r\n", "a\r\nb", "x\r\ny").as_deref(), Ok("x\r\ny\r\n"));
        // A file of both is taken byte for byte.
        assert_eq!(one("a\r\nb\nc", "b\nc", "x").as_deref(), Ok("a\r\nx"));
        assert_eq!(one("a\r\nb\nc", "a\nb", "x"), Err(Kind::NoMatch));
        assert_eq!(one("a\nb\n", "a\n", "x\r\n").as_deref(), Ok("x\r\nb\n"));
    }
}
