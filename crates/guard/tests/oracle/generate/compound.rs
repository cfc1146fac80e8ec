//! Compound commands and expansions.

use super::Writer;

impl Writer<'_> {
    pub(super) fn compound(&mut self) -> String {
        let (one, two) = (self.body(), self.body());
        match self.random.deal("compound", 18) {
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
                format!("[[ -f a.txt && abc == a* || ( 1 < 2 ) ]] && {{ {one}\n}}")
            }
            14 => {
                self.has("[[ =~ ]]");
                format!("if [[ abc =~ ^(a|b)c?.*$ ]]; then {one}\nfi")
            }
            15 => {
                self.has("(( ))");
                format!("(( 1 + 1 > 1 )) && {{ {one}\n}}")
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

    pub(super) fn expansion(&mut self) -> String {
        let name = self.name();
        match self.random.deal("expansion", 26) {
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
}
