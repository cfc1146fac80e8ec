//! Scripts of every construct of bash, over programs whose effects a trace can see.

use super::random::Random;
use super::spell;

/// A script, and what is in it.
pub struct Script {
    pub number: usize,
    pub text: String,
    pub constructs: Vec<&'static str>,
    /// Something in it is only known when it runs.
    pub dynamic: bool,
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
    pub fn generate(random: &mut Random, number: usize) -> Self {
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
        Self { number, text, constructs, dynamic }
    }

    pub fn world(&self) -> String {
        format!("/w/{}", self.number)
    }

    pub fn cwd(&self) -> String {
        format!("{}/work", self.world())
    }

    pub fn home(&self) -> String {
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

    fn new_file(&mut self) -> String {
        let path = self.new_path();
        self.spelled(&path)
    }

    /// Several files in one word.
    fn files(&mut self) -> String {
        match self.random.below(9) {
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
        match self.random.below(12) {
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
        let command = match self.random.below(30) {
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
        match self.random.below(24) {
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
        match self.random.below(13) {
            0..=2 => self.simple(),
            3 => self.join(),
            4..=5 => self.compound(),
            6..=7 => self.expansion(),
            8..=9 => self.wrapper(),
            10 => self.document(),
            11 => self.directory(),
            _ => self.oddity(),
        }
    }

    fn join(&mut self) -> String {
        let (one, two) = (self.simple(), self.simple());
        match self.random.below(9) {
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

    fn compound(&mut self) -> String {
        let (one, two) = (self.body(), self.body());
        match self.random.below(18) {
            0 => {
                self.has("subshell");
                format!("( {one}\n{two}\n)")
            }
            1 => {
                self.has("group");
                format!("{{ {one}\n{two}\n}}")
            }
            2 => {
                self.has("group with a redirection");
                format!("{{ {one}\n{two}\n}} > {}", self.new_file())
            }
            3 => {
                self.has("if");
                format!("if {one}\nthen {two}\nfi")
            }
            4 => {
                self.has("if else");
                format!("if [ -f a.txt ]\nthen {one}\nelse\n{two}\nfi")
            }
            5 => {
                self.has("elif");
                format!("if false; then {one}\nelif true; then {two}\nelse cat a.txt\nfi")
            }
            6 => {
                self.has("while");
                let name = self.name();
                format!("{name}=x; while [ -n \"${name}\" ]; do {one}\n{name}=; done")
            }
            7 => {
                self.has("until");
                let name = self.name();
                format!("{name}=; until [ -n \"${name}\" ]; do {one}\n{name}=y; done")
            }
            8 => {
                self.has("for over words");
                let name = self.name();
                format!("for {name} in a.txt b.txt 'c d.txt'; do cat \"${name}\"; done")
            }
            9 => {
                self.has("for over a glob");
                let name = self.name();
                format!("for {name} in *.txt sub/*; do cat \"${name}\"; done")
            }
            10 => {
                self.has("for (( ))");
                let name = self.name();
                format!("for (( {name}=0; {name}<2; {name}++ )); do {one}\ndone")
            }
            11 => {
                self.has("case");
                format!("case abc in\n x) {one}\n;;\n (a*|b) {two}\n;;\n *) cat a.txt\nesac")
            }
            12 => {
                self.has("case ;&");
                format!("case abc in a*) {one}\n;& x) {two}\n;;& *) true;; esac")
            }
            13 => {
                self.has("[[ ]]");
                format!("[[ -f a.txt && abc == a* || ( 1 < 2 ) ]] && {one}")
            }
            14 => {
                self.has("[[ =~ ]]");
                format!("if [[ abc =~ ^(a|b)c?.*$ ]]; then {one}\nfi")
            }
            15 => {
                self.has("(( ))");
                format!("(( 1 + 1 > 1 )) && {one}")
            }
            16 => {
                self.has("break and continue");
                let name = self.name();
                format!("for {name} in 1 2 3; do {one}\nif [ ${name} = 2 ]; then break; fi; continue; done")
            }
            _ => {
                self.has("coproc");
                format!("coproc {{ {one}\n}} 2>/dev/null\nwait")
            }
        }
    }

    fn expansion(&mut self) -> String {
        let name = self.name();
        match self.random.below(26) {
            0 => {
                self.has("variable");
                let path = self.path();
                format!("{name}={}; cat \"${name}\"", self.spelled(&path))
            }
            1 => {
                self.has("variable that splits");
                format!("{name}='a.txt b.txt'; cat ${name}")
            }
            2 => {
                self.has("variable as program");
                format!("{name}=cat; ${name} a.txt")
            }
            3 => {
                self.has("variable that holds a command");
                format!("{name}='rm -f a.txt'; ${name}")
            }
            4 => {
                self.has("variable that holds a glob");
                format!("{name}='*.txt'; cat ${name}")
            }
            5 => {
                self.has("${x:-y}");
                format!("{name}=; cat \"${{{name}:-b.txt}}\"")
            }
            6 => {
                self.has("${x:=y}");
                format!("unset {name}; cat ${{{name}:=a.txt}}; rm -f ${name}")
            }
            7 => {
                self.has("${x:+y}");
                format!("{name}=1; cat ${{{name}:+b.txt}} a.txt")
            }
            8 => {
                self.has("${x%y}");
                format!("{name}=a.txt.bak; cat ${{{name}%.bak}} ${{{name}%%.txt*}}.txt")
            }
            9 => {
                self.has("${x#y}");
                format!("{name}=xx/a.txt; cat ${{{name}#*/}} \"${{{name}##*/}}\"")
            }
            10 => {
                self.has("${x/y/z}");
                format!("{name}=q.txt; cat ${{{name}/q/a}} ${{{name}//q/b}}")
            }
            11 => {
                self.has("${x:1:2}");
                format!("{name}=zzrmzz; ${{{name}:2:2}} -f a.txt")
            }
            12 => {
                self.has("${x,,}");
                format!("{name}=A.TXT; cat ${{{name},,}}")
            }
            13 => {
                self.has("${#x}");
                format!("{name}=abc; head -n ${{#{name}}} a.txt")
            }
            14 => {
                self.has("${!x}");
                let other = self.name();
                format!("{name}=a.txt; {other}={name}; cat ${{!{other}}}")
            }
            15 => {
                self.has("command substitution");
                let inner = self.simple_output();
                format!("cat \"$({inner})\"")
            }
            16 => {
                self.has("nested substitution");
                "cat \"$(echo \"$(printf '%s' 'a')\".txt)\"".to_owned()
            }
            17 => {
                self.has("backquotes");
                "cat `echo a.txt` \"`echo \\`echo b\\``.txt\"".to_owned()
            }
            18 => {
                self.has("<( )");
                format!("cat <({})", self.simple())
            }
            19 => {
                self.has(">( )");
                format!("echo text > >(tee {}); wait", self.new_file())
            }
            20 => {
                self.has("$(( ))");
                format!("head -n $(( 1 + 1 )) {}", self.file())
            }
            21 => {
                self.has("array");
                format!("{name}=(a.txt 'c d.txt' b.txt); cat \"${{{name}[@]}}\"; rm -f \"${{{name}[0]}}\"")
            }
            22 => {
                self.has("array as command");
                format!("{name}=(cat a.txt); \"${{{name}[@]}}\"")
            }
            23 => {
                self.has("set -- and $1");
                "set -- a.txt b.txt; cat \"$1\"; cat \"$@\"; cat $2".to_owned()
            }
            24 => {
                self.has("+=");
                format!("{name}=a; {name}+=.txt; cat ${name}")
            }
            _ => {
                self.has("substitution with a pipe");
                format!("{name}=$(echo a.txt | cat); cat \"${name}\" 2>/dev/null")
            }
        }
    }

    fn simple_output(&mut self) -> String {
        match self.random.below(3) {
            0 => "echo a.txt".to_owned(),
            1 => "printf '%s' b.txt".to_owned(),
            _ => "echo 'c d.txt'".to_owned(),
        }
    }

    fn wrapper(&mut self) -> String {
        let inner = self.simple_plain();
        let quoted = format!("'{}'", inner.replace('\'', "'\\''"));
        match self.random.below(30) {
            0 => {
                self.has("bash -c");
                format!("bash -c {quoted}")
            }
            1 => {
                self.has("sh -c");
                format!("sh -c {quoted}")
            }
            2 => {
                self.has("dash -c with arguments");
                "dash -c 'cat \"$1\" \"$0\"' b.txt a.txt".to_owned()
            }
            3 => {
                self.has("eval");
                format!("eval {quoted}")
            }
            4 => {
                self.has("eval of words");
                "eval cat a.txt '>' evaluated".to_owned()
            }
            5 => {
                self.has("env");
                format!("env -u FOO A=b {inner}")
            }
            6 => {
                self.has("env -S");
                "env -S 'cat a.txt'".to_owned()
            }
            7 => {
                self.has("nohup");
                format!("nohup {inner} 2>/dev/null >/dev/null")
            }
            8 => {
                self.has("nice");
                format!("nice -n 5 {inner}")
            }
            9 => {
                self.has("timeout");
                format!("timeout -k 1 5 {inner}")
            }
            10 => {
                self.has("command");
                format!("command {inner}")
            }
            11 => {
                self.has("exec in a subshell");
                format!("(exec {inner})")
            }
            12 => {
                self.has("xargs");
                "echo a.txt b.txt | xargs cat".to_owned()
            }
            13 => {
                self.has("xargs -I");
                "printf '%s\\n' a.txt 'c d.txt' | xargs -I{} cat {}".to_owned()
            }
            14 => {
                self.has("find | xargs -0");
                "find sub -name '*.log' -print0 | xargs -0 cat".to_owned()
            }
            15 => {
                self.has("find -exec ;");
                format!("find sub -name '*.log' -exec {} {{}} \\;", self.random.pick(&["cat", "rm -f", "head -n1"]))
            }
            16 => {
                self.has("find -exec +");
                "find . sub -type f -exec cat {} +".to_owned()
            }
            17 => {
                self.has("find -delete");
                "find sub/deep -name '*.log' -delete".to_owned()
            }
            18 => {
                self.has("find -exec sh -c");
                "find sub -name 'x*' -exec sh -c 'cat \"$@\"' _ {} +".to_owned()
            }
            19 => {
                self.has("pipe into a shell");
                format!("echo {quoted} | {}", self.random.pick(&["bash", "sh", "bash -s", "dash"]))
            }
            20 => {
                self.has("here-string into a shell");
                format!("bash <<< {quoted}")
            }
            21 => {
                self.has("function");
                let name = self.name();
                format!("{name}() {{ cat \"$1\"; {inner}; }}\n{name} a.txt")
            }
            22 => {
                self.has("function keyword");
                let name = self.name();
                format!("function {name} {{ local f=$1; cat \"$f\"; return 0; }}; {name} b.txt; {name} a.txt")
            }
            23 => {
                self.has("function in place of a program");
                "cat() { head -n 1 b.txt; }; cat a.txt; command cat e.log".to_owned()
            }
            24 => {
                self.has("trap");
                format!("trap {quoted} EXIT")
            }
            25 => {
                self.has("setsid and stdbuf");
                format!("setsid -w stdbuf -oL {inner}")
            }
            26 => {
                self.has("busybox");
                "busybox cat a.txt".to_owned()
            }
            27 => {
                self.has("nested wrappers");
                format!("env nice timeout 5 sh -c {quoted}")
            }
            28 => {
                self.has("perl -e");
                "perl -e 'system(\"cat a.txt\"); unlink(\"b.txt\");'".to_owned()
            }
            _ => {
                self.has("time program");
                format!("\\time -p {inner} 2>/dev/null || {inner}")
            }
        }
    }

    /// A simple command without redirections and with plain words.
    fn simple_plain(&mut self) -> String {
        match self.random.below(6) {
            0 => "cat a.txt".to_owned(),
            1 => "rm -f b.txt".to_owned(),
            2 => "cp a.txt copied".to_owned(),
            3 => "touch touched".to_owned(),
            4 => "grep -c line a.txt 'c d.txt'".to_owned(),
            _ => "mv e.log moved".to_owned(),
        }
    }

    fn document(&mut self) -> String {
        let inner = self.simple_plain();
        match self.random.below(9) {
            0 => {
                self.has("here-document");
                format!("cat <<END > {}\nsome text\nEND", self.new_file())
            }
            1 => {
                self.has("here-document that expands");
                "cat <<END\n$(cat a.txt) ${HOME} `cat b.txt`\nEND".to_owned()
            }
            2 => {
                self.has("quoted here-document");
                "cat <<'END'\n$(rm -rf sub) `rm a.txt`\nEND".to_owned()
            }
            3 => {
                self.has("here-document with tabs");
                format!("cat <<-END\n\t\tindented\n\tEND\n{inner}")
            }
            4 => {
                self.has("two here-documents");
                format!("cat <<ONE; cat - a.txt <<TWO\none\nONE\ntwo\nTWO\n{inner}")
            }
            5 => {
                self.has("here-document into a shell");
                format!("bash <<'END'\n{inner}\nEND")
            }
            6 => {
                self.has("here-document through a pipe");
                format!("cat <<'END' | bash\n{inner}\nEND")
            }
            7 => {
                self.has("here-string");
                format!("cat <<< \"some $HOME\"; {inner}")
            }
            _ => {
                self.has("here-document in a substitution");
                format!("cat \"$(cat <<END\na.txt\nEND\n)\"\n{inner}")
            }
        }
    }

    fn directory(&mut self) -> String {
        match self.random.below(10) {
            0 => {
                self.has("cd &&");
                "cd sub && cat x.txt && rm -f z.log; cd ..".to_owned()
            }
            1 => {
                self.has("cd ;");
                "cd sub; cat x.txt; cd ..".to_owned()
            }
            2 => {
                self.has("cd that fails");
                "cd missing 2>/dev/null; cat a.txt; rm -f b.txt".to_owned()
            }
            3 => {
                self.has("cd in a subshell");
                format!("(cd ../data && cat p.txt); {}", self.simple())
            }
            4 => {
                self.has("cd home");
                "(cd; cat h.txt; cd ~/.cfg && cat k.txt)".to_owned()
            }
            5 => {
                self.has("pushd and popd");
                "(pushd sub >/dev/null && cat x.txt)".to_owned()
            }
            6 => {
                self.has("cd or exit");
                "(cd sub || exit 1; cat x.txt; rm -f deep/y.log)".to_owned()
            }
            7 => {
                self.has("cd in a condition");
                "(if cd sub; then cat x.txt; else cat a.txt; fi)".to_owned()
            }
            8 => {
                self.has("cd and a variable");
                format!("(d=sub; cd \"$d\" && rm -f ./*.log; {})", "cat ../a.txt")
            }
            _ => {
                self.has("cd in a loop");
                "for d in sub other; do (cd $d && touch here); done".to_owned()
            }
        }
    }

    fn oddity(&mut self) -> String {
        match self.random.below(15) {
            0 => {
                self.has("export");
                "export FILE=a.txt; cat $FILE; sh -c 'true'".to_owned()
            }
            1 => {
                self.has("readonly and declare");
                "readonly R1=b.txt 2>/dev/null; declare -a L=(a.txt e.log); cat \"${L[@]}\"; cat $R1".to_owned()
            }
            2 => {
                self.has("assignment for one command");
                "LC_ALL=C FOO=bar cat a.txt".to_owned()
            }
            3 => {
                self.has("alias that does not expand");
                "alias cat='head -n1'\ncat a.txt".to_owned()
            }
            4 => {
                self.has("printf");
                format!("printf '%s\\n' x y > {}", self.new_file())
            }
            5 => {
                self.has("test and [");
                "test -f a.txt && [ -d sub ] && cat a.txt".to_owned()
            }
            6 => {
                self.has("colon with a redirection");
                format!(": > {}; > {}", self.new_file(), self.new_file())
            }
            7 => {
                self.has("if after &&");
                "true && if true; then cat a.txt; fi || cat b.txt".to_owned()
            }
            8 => {
                self.has("nested functions");
                "f1() { f2() { cat b.txt; }; cat a.txt; }; f1; f2".to_owned()
            }
            9 => {
                self.has("braces that do not expand");
                "echo {a} {} {a,b 'x{1,2}' \"{c,d}\" > /dev/null; cat a.txt".to_owned()
            }
            10 => {
                self.has("nested quotes in a substitution");
                "cat \"$(echo \"a.txt\")\" \"$(printf '%s' \"c d.txt\")\"".to_owned()
            }
            11 => {
                self.has("case in a substitution");
                "echo $(case x in x) cat a.txt;; (y) cat b.txt;; esac) $( (cat e.log) )".to_owned()
            }
            12 => {
                self.has("parentheses in strings");
                "echo \"$(echo ')' \")\")\" ')' > /dev/null; cat a.txt".to_owned()
            }
            13 => {
                self.has("command -v");
                "command -v cat >/dev/null && type cat >/dev/null && cat a.txt".to_owned()
            }
            _ => {
                self.has("semicolons and lines");
                "cat a.txt;\n\n  cat b.txt ;cat 'c d.txt'&&\ncat e.log |\ncat".to_owned()
            }
        }
    }

    /// Something that is only known when it runs.
    fn dynamic_statement(&mut self) -> String {
        self.dynamic = true;
        match self.random.below(8) {
            0 => "f=$(ls | head -n1); cat \"$f\"".to_owned(),
            1 => "while read -r f; do cat \"$f\"; done < <(ls *.txt)".to_owned(),
            2 => "eval \"$(echo cat; cat a.txt | head -c0; echo ' ' a.txt)\"".to_owned(),
            3 => "echo 'cat a.txt' > s.sh; . ./s.sh".to_owned(),
            4 => "$(printf 'c'; printf 'at') a.txt; x=$RANDOM; touch n$x".to_owned(),
            5 => "echo Y2F0IGEudHh0 | base64 -d | sh".to_owned(),
            6 => "find . -name 'a*' | xargs rm -f".to_owned(),
            _ => "p=$UNSET_THING/a.txt; cat .$p; rm -rf sub/$UNSET_THING".to_owned(),
        }
    }
}
