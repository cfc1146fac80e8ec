//! Wrappers, here-documents, directories, oddities, and what is only known when it runs.

use super::Writer;

impl Writer<'_> {
    pub(super) fn wrapper(&mut self) -> String {
        let inner = self.simple_plain();
        let quoted = format!("'{}'", inner.replace('\'', "'\\''"));
        match self.random.deal("wrapper", 30) {
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

    pub(super) fn document(&mut self) -> String {
        let inner = self.simple_plain();
        match self.random.deal("document", 9) {
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

    pub(super) fn directory(&mut self) -> String {
        match self.random.deal("directory", 10) {
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

    pub(super) fn oddity(&mut self) -> String {
        match self.random.deal("oddity", 15) {
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
    pub(super) fn dynamic_statement(&mut self) -> String {
        self.dynamic = true;
        match self.random.deal("dynamic", 14) {
            0 => "f=$(ls | head -n1); cat \"$f\"".to_owned(),
            1 => "while read -r f; do cat \"$f\"; done < <(ls *.txt)".to_owned(),
            2 => "eval \"$(echo cat; cat a.txt | head -c0; echo ' ' a.txt)\"".to_owned(),
            3 => "echo 'cat a.txt' > s.sh; . ./s.sh".to_owned(),
            4 => "$(printf 'c'; printf 'at') a.txt; x=$RANDOM; touch n$x".to_owned(),
            5 => "echo Y2F0IGEudHh0 | base64 -d | sh".to_owned(),
            6 => "find . -name 'a*' | xargs rm -f".to_owned(),
            7 => "[ -f a.txt ] && w=a.txt; cat \"$w\"".to_owned(),
            8 => "(IFS=:; v=a.txt:b.txt; cat $v)".to_owned(),
            9 => "declare -A m; m[k]=a.txt; cat \"${m[k]}\"".to_owned(),
            10 => "printf -v pv '%s.txt' a; cat \"$pv\"".to_owned(),
            11 => "read -r rd <<< a.txt; cat \"$rd\"".to_owned(),
            12 => "echo \"'c d.txt' a.txt\" | xargs cat".to_owned(),
            _ => "p=$UNSET_THING/a.txt; cat .$p; rm -rf sub/$UNSET_THING".to_owned(),
        }
    }
}
