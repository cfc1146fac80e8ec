//! The tree of a script.

use std::cell::OnceCell;
use std::rc::Rc;

/// And-or lists, one after the other.
#[derive(Debug, Default)]
pub(super) struct List(pub(super) Vec<AndOr>);

/// Pipelines joined by `&&` and `||`.
#[derive(Debug)]
pub(super) struct AndOr {
    pub(super) first: Pipeline,
    pub(super) rest: Vec<(Join, Pipeline)>,
    pub(super) background: bool,
}

/// How a pipeline follows the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Join {
    And,
    Or,
}

#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) negated: bool,
    pub(super) commands: Vec<Rc<Node>>,
}

/// A command.
#[derive(Debug)]
pub(super) enum Node {
    Simple(Simple),
    Compound(Compound, Vec<Redirect>),
    Function { name: String, body: Rc<Node> },
}

#[derive(Debug, Default)]
pub(super) struct Simple {
    pub(super) assignments: Vec<Assignment>,
    pub(super) words: Vec<Word>,
    pub(super) redirects: Vec<Redirect>,
}

#[derive(Debug)]
pub(super) enum Compound {
    Brace(List),
    Subshell(List),
    If {
        arms: Vec<(List, List)>,
        otherwise: Option<List>,
    },
    /// `while` and `until`.
    While {
        condition: List,
        body: List,
    },
    /// `for` and `select`; without `words` over the positional parameters.
    For {
        name: String,
        words: Option<Vec<Word>>,
        body: List,
    },
    ArithmeticFor {
        header: Word,
        body: List,
    },
    Case {
        subject: Word,
        arms: Vec<(Vec<Word>, List)>,
    },
    Arithmetic(Word),
    Test(Vec<Word>),
    Coprocess(Rc<Node>),
}

#[derive(Debug)]
pub(super) struct Redirect {
    pub(super) fd: Option<String>,
    pub(super) kind: Direction,
    pub(super) target: Target,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Read,
    Write,
    Append,
    ReadWrite,
    /// `&>` and `&>>`: both outputs.
    Both,
    BothAppend,
    /// `<&` and `>&`, with a number, `-`, or something to expand.
    DuplicateIn,
    DuplicateOut,
    HereString,
    HereDocument,
}

#[derive(Debug)]
pub(super) enum Target {
    Word(Word),
    /// Filled when the body is reached.
    Document(Rc<OnceCell<Word>>),
}

#[derive(Debug)]
pub(super) struct Assignment {
    pub(super) name: String,
    /// `name[…]=`.
    pub(super) index: Option<Word>,
    pub(super) append: bool,
    pub(super) value: Value,
}

#[derive(Debug)]
pub(super) enum Value {
    Scalar(Word),
    Array(Vec<Word>),
}

/// A word before expansion.
#[derive(Clone, Debug, Default)]
pub(super) struct Word(pub(super) Vec<Part>);

/// A piece of a word. Shared pieces are behind `Rc`, so that words are cheap to copy.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// Unquoted text: splits at braces, may hold globs and a tilde.
    Bare(String),
    /// Quoted or escaped text.
    Quoted(String),
    /// In `$'…'`, bytes that are no text.
    Undecodable,
    Double(Rc<Vec<Part>>),
    Parameter(Rc<Parameter>),
    /// `$(…)` and `` `…` ``.
    Substitution(Rc<List>),
    /// `$((…))`, `$[…]`.
    Arithmetic(Rc<Vec<Part>>),
    /// `<(…)`, `>(…)`.
    Process(Rc<List>),
    /// `NAME=(…)` as an argument of `declare` and its kin.
    Array(Rc<Vec<Word>>),
}

/// `$name`, `${name…}`.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) index: Option<Word>,
    /// `${!name}`.
    pub(super) indirect: bool,
    pub(super) change: Change,
}

/// What `${name…}` does with the value.
#[derive(Debug)]
pub(super) enum Change {
    Nothing,
    Length,
    /// `-`, `=`, `?`, `+`; whether with a colon.
    Test {
        kind: char,
        colon: bool,
        word: Word,
    },
    /// `#`, `##`, `%`, `%%`.
    Trim {
        kind: char,
        longest: bool,
        pattern: Word,
    },
    /// `/`, `:`, `^`, `,`, `@` and what follows.
    Other {
        kind: char,
        word: Word,
    },
}

impl Word {
    /// The text, if it is unquoted and without anything to expand.
    pub(super) fn bare(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Part::Bare(text)] => Some(text),
            _ => None,
        }
    }
}
