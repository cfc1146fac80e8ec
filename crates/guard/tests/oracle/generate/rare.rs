//! Constructs of the shell that scripts hold more rarely.

use super::Writer;

/// What each is called, and the script: `{new}` is a path of no file yet, `{file}` one of some file.
const RARE: &[(&str, &str)] = &[
    ("select", "select s in a.txt b.txt; do cat \"$s\"; break; done <<< 1"),
    ("while read from a file", "while read -r line; do echo \"$line\"; done < a.txt"),
    ("mapfile", "mapfile -t lines < a.txt; echo \"${#lines[@]}\""),
    ("redirect &>>", "ls &>> {new}"),
    ("redirect >&", "ls >& {new}"),
    ("exec of descriptors", "(exec 3< a.txt 4> {new}; cat <&3 >&4)"),
    ("exec of the output", "(exec > {new}; cat a.txt)"),
    ("moved descriptor", "(exec 5< b.txt; cat 6<&5-  <&6)"),
    ("function with a subshell", "fs() ( cd sub && cat x.txt ); fs; cat a.txt"),
    ("function with a redirection", "fr() { cat a.txt; } > {new}; fr"),
    ("function on a branch", "fb() { cat a.txt; }; if [ -f b.txt ]; then fb() { rm -f b.txt; }; fi; fb"),
    ("function that shadows", "fp() { local f=b.txt; cat \"$f\"; }; f=a.txt; fp; cat \"$f\""),
    ("shift", "set -- e.log a.txt; shift; cat \"$1\""),
    ("$*", "set -- a.txt; cat \"$*\"; cat $*"),
    ("${@:2}", "set -- cat a.txt b.txt; rm -f e.log; \"$1\" b.txt"),
    ("set -f", "(set -f; touch '*.q'; rm -f *.q)"),
    ("set -e", "(set -e; cat a.txt; false; cat b.txt)"),
    ("shopt", "shopt -s nullglob dotglob; cat *.txt; cat nothing*.none a.txt"),
    ("let", "let n=1+1; head -n \"$n\" a.txt"),
    ("array that grows", "l=(a.txt); l+=(b.txt); cat \"${l[@]}\""),
    ("unset", "u=b.txt; unset u; cat ${u:-a.txt}"),
    ("until with break", "until false; do cat a.txt; break; done"),
    ("break 2", "for i in 1 2; do for j in 1 2; do cat a.txt; break 2; done; done; cat b.txt"),
    ("return", "fe() { cat a.txt; return 0; rm -rf sub; }; fe"),
    ("case of a glob", "for f in *.txt; do case $f in a*) cat \"$f\";; *) head -n1 \"$f\";; esac; done"),
    ("if !", "if ! grep -q nothing a.txt; then cat b.txt; fi"),
    ("nested subshells", "( ( ( cat a.txt ) && (rm -f b.txt) ) )"),
    ("background and $!", "cat a.txt & wait $!; rm -f b.txt"),
    ("here-document with a quote in it", "cat <<E > {new}\nit's \"a\" line\nE\ncat a.txt"),
    ("comment in a substitution", "cat $(echo a.txt # )\n)"),
    ("program through command -p", "command -p cat a.txt; builtin echo b.txt"),
    ("exec -a", "(exec -a other cat a.txt)"),
    ("trap ERR", "trap 'cat b.txt' ERR; cat missing 2>/dev/null; true"),
    ("pattern in a test", "[[ a.txt == *.txt ]] && cat a.txt; [ a.txt = *.none ] || cat b.txt"),
    ("two heredocs on one command", "cat <<A 3<<B\none\nA\ntwo\nB\nrm -f b.txt"),
    ("substitution in an assignment", "x1=$(cat a.txt) cat b.txt"),
    ("line continuation in an operator", "cat a.txt &\\\n& rm -f b.txt"),
    ("dash", "dash -c 'cat a.txt && rm -f b.txt'"),
];

impl Writer<'_> {
    pub(super) fn rare(&mut self) -> String {
        let (construct, script) = RARE[self.random.deal("rare", RARE.len())];
        self.has(construct);
        self.filled(script)
    }
}
