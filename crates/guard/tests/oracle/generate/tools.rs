//! Programs whose effects a trace can see, with the options that change what they do.

use super::Writer;

/// What each is called, and the script: `{new}` is a path of no file yet, `{file}` one of some file.
const TOOLS: &[(&str, &str)] = &[
    ("env -C", "env -C sub cat x.txt"),
    ("env -i", "env -i PATH=/usr/bin cat a.txt"),
    ("env --", "env -- FOO=a cat a.txt"),
    ("xargs -a", "xargs -a a.txt echo"),
    ("xargs -n1", "printf 'a.txt\\nb.txt\\n' | xargs -n1 -P1 cat"),
    ("xargs sh -c", "echo a.txt | xargs sh -c 'cat \"$1\"' _"),
    ("find -execdir", "find sub -name 'x.txt' -execdir cat {} \\;"),
    ("find -fprint", "find sub -name '*.log' -fprint {new}"),
    ("flock", "flock {new} cat a.txt"),
    ("flock -c", "flock {new} -c 'cat a.txt && rm -f b.txt'"),
    ("taskset", "taskset 1 cat a.txt"),
    ("ionice", "ionice -c3 cat a.txt"),
    ("script file", "echo 'cat a.txt' > {new}; rm -f b.txt"),
    ("tee -a", "echo x | tee -a {file} > /dev/null"),
    ("install", "install -m 644 a.txt {new}"),
    ("split", "split -l 1 a.txt {new}"),
    ("shred", "shred -u b.txt"),
    ("unlink", "unlink b.txt"),
    ("rmdir", "rmdir other"),
    ("hard link", "ln {file} {new}"),
    ("ln -sf", "ln -sf a.txt {new}"),
    ("gzip", "gzip b.txt"),
    ("gzip -c", "gzip -c a.txt > {new}"),
    ("gunzip", "(gzip b.txt; gunzip b.txt.gz)"),
    ("xz", "xz -k b.txt"),
    ("tar x", "(tar cf t.tar a.txt sub; tar xf t.tar -C other)"),
    ("comm and join", "comm a.txt b.txt; join a.txt b.txt; paste a.txt e.log"),
    ("cut and tr", "cut -c1 a.txt; tr a b < b.txt; nl e.log"),
    ("uniq", "uniq a.txt {new}"),
    ("od and checksums", "od -c a.txt; sha256sum b.txt; cksum e.log"),
    ("cmp and stat", "cmp a.txt b.txt; stat a.txt; tac e.log"),
    ("tail", "tail -n +2 {file}"),
    ("grep -f", "grep -f a.txt b.txt"),
    ("grep -r", "grep -r --include='*.log' line sub other"),
    ("sed r", "sed 'r b.txt' a.txt"),
    ("sed -i with a suffix", "sed -i.bak 's/a/b/' b.txt"),
    ("sed -f", "echo p > s.sed; sed -n -f s.sed a.txt"),
    ("sed e", "sed '1e cat b.txt' a.txt"),
    ("awk -f", "echo '{ print }' > p.awk; awk -f p.awk a.txt"),
    ("awk getline", "awk 'BEGIN { while ((getline l < \"a.txt\") > 0) print l }'"),
    ("perl -i", "perl -pi -e 's/a/b/' b.txt"),
    ("perl -ne", "perl -ne 'print' a.txt"),
    ("cp -a", "cp -a sub {new}"),
    ("cp --parents", "cp --parents sub/x.txt other"),
    ("cp -r into", "cp -r sub/deep other/"),
    ("mv -t", "mv -t other a.txt b.txt"),
    ("mv of a directory", "mv sub/deep {new}"),
    ("rm -r of two", "rm -r -- sub/deep other"),
    ("rm with a trailing slash", "rm -rf sub/deep/"),
    ("touch -r", "touch -r a.txt {new}"),
    ("truncate -r", "truncate -r a.txt b.txt"),
    ("sort -T", "sort -u -T . a.txt b.txt"),
    ("diff -r", "diff -r sub other"),
    ("head of two", "head -c 2 a.txt -- b.txt"),
    ("dd with a seek", "dd if=a.txt of=b.txt bs=1 count=1 conv=notrunc status=none"),
    ("mktemp", "mktemp -p other f.XXXXXX"),
    ("bash with a file", "bash -c 'set -- a.txt; cat \"$1\"' x"),
    ("du and ls -R", "du -a sub; ls -R sub"),
    ("time -o", "\\time -o {new} cat a.txt"),
    ("csplit", "csplit -s -f {new} a.txt 2"),
    ("chmod", "chmod u+x a.txt; cat a.txt"),
    ("rename by mv in a loop", "for f in *.log; do mv \"$f\" \"$f.old\"; done"),
];

impl Writer<'_> {
    pub(super) fn tool(&mut self) -> String {
        let (construct, script) = TOOLS[self.random.deal("tool", TOOLS.len())];
        self.has(construct);
        self.filled(script)
    }
}
