//! Scripts of every construct of bash, over programs whose effects a trace can see.

use super::random::Random;
use super::spell;

mod compound;
mod constructs;
mod rare;
mod tools;
mod wrapped;

pub(crate) use constructs::CONSTRUCTS;

/// A script, and what is in it.
pub(crate) struct Script {
    pub(crate) number: usize,
    pub(crate) text: String,
    pub(crate) constructs: Vec<&'static str>,
    /// Something in it is only known when it runs.
    pub(crate) dynamic: bool,
}

/// Files below the working directory.
const FILES: &[&str] = &["a.txt", "b.txt", "c d.txt", "e.log", "sub/x.txt", "sub/deep/y.log", "sub/z.log"];
/// Directories below the working directory.
const DIRECTORIES: &[&str] = &["sub", "sub/deep", "other"];

struct Writer<'r> {
    random: &'r mut Random,
    number: usize,
    constructs: Vec<&'static str>,
    dynamic: bool,
    fresh: usize,
    depth: usize,
}

impl Script {
    pub(crate) fn generate(random: &mut Random, number: usize) -> Self {
        let lines = 1 + random.below(4);
        let mut writer = Writer { random, number, constructs: Vec::new(), dynamic: false, fresh: 0, depth: 0 };
        let mut text = String::new();
        for _ in 0..lines {
            text.push_str(&writer.statement());
            text.push('\n');
        }
        if writer.random.once_in(12) {
            text.push_str(&writer.dynamic_statement());
            text.push('\n');
        }
        let (constructs, dynamic) = (writer.constructs, writer.dynamic);
        for construct in &constructs {
            assert!(CONSTRUCTS.contains(construct), "`{construct}` is not among the constructs that are counted");
        }
        Self { number, text, constructs, dynamic }
    }

    pub(crate) fn world(&self) -> String {
        format!("/w/{}", self.number)
    }

    pub(crate) fn cwd(&self) -> String {
        format!("{}/work", self.world())
    }

    pub(crate) fn home(&self) -> String {
        format!("{}/home", self.world())
    }
}

impl Writer<'_> {
    fn has(&mut self, construct: &'static str) {
        self.constructs.push(construct);
    }

    fn name(&mut self) -> String {
        self.fresh += 1;
        format!("v{}", self.fresh)
    }

    fn spelled(&mut self, text: &str) -> String {
        spell::word(self.random, text, &mut self.constructs)
    }

    /// A path of some file, as plain text.
    fn path(&mut self) -> String {
        let world = format!("/w/{}", self.number);
        match self.random.below(8) {
            0 => format!("{world}/data/p.txt"),
            1 => format!("../data/{}", ["p.txt", "q.txt", "dir/r.txt"][self.random.below(3)]),
            2 => format!("./sub/../{}", self.random.pick(&["a.txt", "b.txt"])),
            3 => format!("{world}/work//{}", self.random.pick(FILES)),
            _ => (*self.random.pick(FILES)).to_owned(),
        }
    }

    fn new_path(&mut self) -> String {
        self.fresh += 1;
        let file = format!("new{}", self.fresh);
        match self.random.below(4) {
            0 => format!("/w/{}/data/{file}", self.number),
            1 => format!("sub/{file}"),
            _ => file,
        }
    }

    /// An existing file, spelt in some way.
    fn file(&mut self) -> String {
        if self.random.once_in(12) {
            self.has("tilde");
            return "~/h.txt".to_owned();
        }
        if self.random.once_in(14) {
            self.has("$HOME");
            return (*self.random.pick(&["$HOME/h.txt", "\"$HOME\"/h.txt", "\"${HOME}/.cfg/k.txt\""])).to_owned();
        }
        if self.random.once_in(14) {
            self.has("$PWD");
            return (*self.random.pick(&["$PWD/a.txt", "\"${PWD}/b.txt\"", "~+/a.txt"])).to_owned();
        }
        let path = self.path();
        self.spelled(&path)
    }

    /// A script with its paths in place.
    fn filled(&mut self, script: &str) -> String {
        let script =
            if script.contains("{new}") { script.replace("{new}", &self.new_file()) } else { script.to_owned() };
        if script.contains("{file}") { script.replace("{file}", &self.file()) } else { script }
    }

    fn new_file(&mut self) -> String {
        let path = self.new_path();
        self.spelled(&path)
    }

    /// Several files in one word.
    fn files(&mut self) -> String {
        match self.random.deal("files", 9) {
            0 => {
                self.has("brace list");
                "{a,b}.txt".to_owned()
            }
            1 => {
                self.has("nested braces");
                "{a.txt,sub/{x.txt,z.log}}".to_owned()
            }
            2 => {
                self.has("brace range");
                "{a..b}.txt".to_owned()
            }
            3 => {
                self.has("glob *");
                (*self.random.pick(&["*.txt", "sub/*.log", "s*/x.txt", "*/z.log", "\"sub\"/*.log"])).to_owned()
            }
            4 => {
                self.has("glob ?");
                (*self.random.pick(&["?.txt", "sub/?.log", "nothing?"])).to_owned()
            }
            5 => {
                self.has("glob []");
                (*self.random.pick(&["[ab].txt", "[!a].txt", "sub/[xyz].*"])).to_owned()
            }
            _ => self.file(),
        }
    }

    fn program(&mut self, name: &str) -> String {
        match self.random.deal("program", 12) {
            0 => {
                self.has("program by its path");
                format!("/usr/bin/{name}")
            }
            1 => self.spelled(name),
            2 => {
                self.has("escaped program");
                format!("\\{name}")
            }
            _ => name.to_owned(),
        }
    }

    /// A simple command that reads, writes, moves or deletes.
    fn simple(&mut self) -> String {
        let command = match self.random.deal("simple", 30) {
            0..=3 => {
                let (program, files) = (self.program("cat"), self.files());
                format!("{program} {files}")
            }
            4 => {
                let (program, file, pattern) = (self.program("grep"), self.files(), self.spelled("line"));
                format!("{program} -n {pattern} {file}")
            }
            5 => format!("{} -rn line sub", self.program("grep")),
            6 => {
                let (program, files) = (self.program("rm"), self.files());
                format!("{program} -f {files}")
            }
            7 => {
                let directory = *self.random.pick(DIRECTORIES);
                let (program, directory) = (self.program("rm"), self.spelled(directory));
                format!("{program} -rf {directory}")
            }
            8 => {
                let (program, from, to) = (self.program("cp"), self.file(), self.new_file());
                format!("{program} {from} {to}")
            }
            9 => format!("cp {} sub/", self.files()),
            10 => format!("cp -t sub -- {}", self.file()),
            11 => {
                let (from, to) = (self.file(), self.new_file());
                format!("mv {from} {to}")
            }
            12 => format!("touch {}", self.new_file()),
            13 => format!("mkdir -p {}", self.new_file()),
            14 => format!("head -n 1 {}", self.files()),
            15 => format!("wc -l {}", self.files()),
            16 => {
                self.has("sed -i");
                format!("sed -i 's/line/word/' {}", self.file())
            }
            17 => format!(
                "sed -n {} {}",
                self.random.pick(&["1p", "'/line/p'", "-e 1p", "'s/a/b/gp'"]).to_owned(),
                self.file()
            ),
            18 => {
                self.has("sed w");
                let path = self.new_path();
                format!("sed -n 'w {path}' {}", self.file())
            }
            19 => {
                let (from, to) = (self.file(), self.new_file());
                format!("sort -o {to} {from}")
            }
            20 => {
                self.has("dd");
                let (from, to) = (self.path(), self.new_path());
                format!("dd if='{from}' of='{to}' status=none")
            }
            21 => format!("ln -s {} {}", self.file(), self.new_file()),
            22 => format!("truncate -s 0 {}", self.file()),
            23 => format!("ls -l {}", self.files()),
            24 => {
                self.has("awk");
                format!("awk '{{ print $1 }}' {}", self.file())
            }
            25 => {
                self.has("awk >");
                let path = self.new_path();
                format!("awk '{{ print > \"{path}\" }}' {}", self.file())
            }
            26 => {
                self.has("awk system");
                format!("awk 'BEGIN {{ system(\"cat a.txt\") }}'")
            }
            27 => {
                self.has("tar");
                let to = self.new_path();
                format!("tar cf {to} sub a.txt")
            }
            28 => format!("diff {} {}", self.file(), self.file()),
            _ => {
                let (program, text) = (self.program("echo"), self.spelled("some text"));
                format!("{program} {text}")
            }
        };
        self.redirected(command)
    }

    fn redirected(&mut self, command: String) -> String {
        match self.random.deal("redirect", 24) {
            0 => {
                self.has("redirect >");
                format!("{command} > {}", self.new_file())
            }
            1 => {
                self.has("redirect >>");
                format!("{command} >> {}", self.file())
            }
            2 => {
                self.has("redirect <");
                format!("{command} < {}", self.file())
            }
            3 => {
                self.has("redirect 2>");
                format!("{command} 2> {}", self.new_file())
            }
            4 => {
                self.has("redirect &>");
                format!("{command} &> {}", self.new_file())
            }
            5 => {
                self.has("duplicate 2>&1");
                format!("{command} > {} 2>&1", self.new_file())
            }
            6 => {
                self.has("redirect >|");
                format!("{command} >| {}", self.new_file())
            }
            7 => {
                self.has("redirect first");
                format!("> {} {command}", self.new_file())
            }
            8 => {
                self.has("redirect <>");
                format!("{command} 3<> {}", self.new_file())
            }
            9 => {
                self.has("redirect {fd}>");
                format!("{command} {{out}}> {}", self.new_file())
            }
            _ => command,
        }
    }

    /// Commands in a row, with nothing that ends the script.
    fn body(&mut self) -> String {
        self.depth += 1;
        let body = if self.depth > 3 {
            self.simple()
        } else {
            match self.random.below(3) {
                0 => self.statement(),
                1 => format!("{}; {}", self.simple(), self.simple()),
                _ => self.simple(),
            }
        };
        self.depth -= 1;
        body
    }

    fn statement(&mut self) -> String {
        match self.random.deal("statement", 19) {
            0..=2 => self.simple(),
            3 => self.join(),
            4..=5 => self.compound(),
            6..=7 => self.expansion(),
            8..=9 => self.wrapper(),
            10 => self.document(),
            11 => self.directory(),
            12 => self.oddity(),
            13..=15 => self.rare(),
            _ => self.tool(),
        }
    }

    fn join(&mut self) -> String {
        let (one, two) = (self.simple(), self.simple());
        match self.random.deal("join", 9) {
            0 => {
                self.has("&&");
                format!("{one} && {two}")
            }
            1 => {
                self.has("||");
                format!("{one} || {two}")
            }
            2 => {
                self.has("pipe");
                format!("{one} | {two}")
            }
            3 => {
                self.has("pipe of three");
                format!("{one} | cat | tee {}", self.new_file())
            }
            4 => {
                self.has("|&");
                format!("{one} |& {two}")
            }
            5 => {
                self.has("background");
                format!("{one} & {two}; wait")
            }
            6 => {
                self.has("!");
                format!("! {one}; {two}")
            }
            7 => {
                self.has("time");
                format!("time {one}")
            }
            _ => {
                self.has("comment");
                format!("{one} # rm -rf /w\n{two}")
            }
        }
    }
}
