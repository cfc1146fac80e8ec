//! The caller's environment: what makes loaders, shells and interpreters run something else.

use super::Outside::Both;
use super::Shows::Says;
use super::{Probe, p};

/// A variable of the caller's reaches the program.
const fn passed(what: &'static str, words: &'static str) -> Probe {
    p("variables", what, words, Says("{token}"), Both)
}

pub(crate) const PROBES: &[Probe] = &[
    passed("LD_PRELOAD", "LD_PRELOAD=/{token} variable LD_PRELOAD"),
    passed("LD_LIBRARY_PATH", "LD_LIBRARY_PATH=/{token} variable LD_LIBRARY_PATH"),
    passed("LD_AUDIT", "LD_AUDIT=/{token} variable LD_AUDIT"),
    passed("ENV", "ENV=/{token} variable ENV"),
    passed("ENV, obeyed", "ENV={work}/inject.sh run /bin/sh -i"),
    passed("BASH_ENV", "BASH_ENV=/{token} variable BASH_ENV"),
    passed("BASH_ENV, obeyed", "BASH_ENV={work}/inject.sh run /bin/bash -c :"),
    passed("a function for bash", "BASH_FUNC_x%%=(){token} variable BASH_FUNC_x%%"),
    passed("NODE_OPTIONS", "NODE_OPTIONS=--title={token} variable NODE_OPTIONS"),
    passed("NODE_OPTIONS, obeyed", "NODE_OPTIONS=--require={work}/inject.js run node -e 0").needs("node"),
    passed("PYTHONPATH", "PYTHONPATH=/{token} variable PYTHONPATH"),
    passed("PYTHONPATH, obeyed", "PYTHONPATH={work}/kept run /usr/bin/python3 -c 0").needs("/usr/bin/python3"),
    passed("PYTHONSTARTUP", "PYTHONSTARTUP=/{token} variable PYTHONSTARTUP"),
    passed("PYTHONSTARTUP, obeyed", "PYTHONSTARTUP={work}/inject.py run /usr/bin/python3 -i").needs("/usr/bin/python3"),
    passed("PERL5OPT", "PERL5OPT=-M{token} variable PERL5OPT"),
    passed("PERL5OPT and PERL5LIB, obeyed", "PERL5LIB={work}/kept PERL5OPT=-MInject run perl -e 0").needs("perl"),
    passed("RUBYOPT", "RUBYOPT=-r{token} variable RUBYOPT"),
    passed("JAVA_TOOL_OPTIONS", "JAVA_TOOL_OPTIONS=-Dx={token} variable JAVA_TOOL_OPTIONS"),
    passed("GIT_SSH_COMMAND", "GIT_SSH_COMMAND=/{token} variable GIT_SSH_COMMAND"),
    passed("GIT_EXTERNAL_DIFF", "GIT_EXTERNAL_DIFF=/{token} variable GIT_EXTERNAL_DIFF"),
    passed(
        "GIT_CONFIG, obeyed",
        "GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=alias.x GIT_CONFIG_VALUE_0=!{work}/inject.sh run git x",
    )
    .needs("git"),
    passed("RUSTC_WRAPPER", "RUSTC_WRAPPER=/{token} variable RUSTC_WRAPPER"),
    passed("a proxy", "HTTPS_PROXY=http://{token} variable HTTPS_PROXY"),
    passed("the caller's search path", "PATH=/usr/bin:/bin:/{token} variable PATH"),
    passed("the agent of ssh", "SSH_AUTH_SOCK=/{token} variable SSH_AUTH_SOCK"),
    passed("the session's bus", "DBUS_SESSION_BUS_ADDRESS=unix:path=/{token} variable DBUS_SESSION_BUS_ADDRESS"),
    passed("where docker listens", "DOCKER_HOST=unix:///{token} variable DOCKER_HOST"),
    passed("credentials of a cloud", "AWS_SECRET_ACCESS_KEY={token} variable AWS_SECRET_ACCESS_KEY"),
];
