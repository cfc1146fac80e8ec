//! `npx`, `npm exec`, `uvx` and their kin: they run a program of the project, or download one and run it.

use super::super::walk::{Act, Walker};
use super::super::{Argument, Dynamic, Effect};

/// Tools that projects have among their dependencies, so that nothing is downloaded, and whose names on the registries
/// are theirs. Any other name may be anybody's package.
const TOOLS: &[&str] = &[
    "tsc",
    "jest",
    "vitest",
    "mocha",
    "ava",
    "eslint",
    "prettier",
    "stylelint",
    "biome",
    "oxlint",
    "vite",
    "webpack",
    "rollup",
    "esbuild",
    "next",
    "nuxt",
    "astro",
    "turbo",
    "nx",
    "lerna",
    "tsx",
    "ts-node",
    "playwright",
    "cypress",
    "nyc",
    "c8",
    "husky",
    "lint-staged",
    "commitlint",
    "tsup",
    "swc",
    "babel",
    "parcel",
    "storybook",
    "svelte-check",
    "knip",
    "depcheck",
    "madge",
    "markdownlint",
    "cspell",
    "ruff",
    "black",
    "mypy",
    "pytest",
    "isort",
    "flake8",
    "pyright",
    "basedpyright",
    "tox",
    "nox",
    "pre-commit",
    "codespell",
    "yamllint",
    "sqlfluff",
    "bandit",
    "typedoc",
    "tailwindcss",
    "postcss",
    "prisma",
    "ng",
    "gulp",
    "grunt",
    "rimraf",
    "concurrently",
    "nodemon",
];

pub(super) fn run(walker: &mut Walker<'_>, arguments: &[Argument], act: &mut Act) {
    act.effects(&[Effect::Executes, Effect::Installs]);
    let mut at = 0;
    let mut local = false;
    while let Some(argument) = arguments.get(at) {
        at += 1;
        let text = argument.prefix();
        let (option, attached) = match text.split_once('=') {
            Some((option, _)) if text.starts_with("--") => (option, Some(argument.after(option.len() + 1))),
            _ => (text, None),
        };
        match option {
            "-c" | "--call" | "--shell-mode" => {
                let script = attached.or_else(|| arguments.get(at).cloned());
                if let Some(script) = script {
                    act.script("npx", script, false);
                }
                at += 1;
            }
            "-p" | "--package" | "--from" | "--with" | "--registry" | "--index-url" | "--index"
            | "--extra-index-url" => {
                let named = attached.clone().or_else(|| arguments.get(at).cloned());
                let package = !option.contains("index") && option != "--registry";
                if !package || !named.as_ref().is_some_and(is_tool) {
                    act.command.known = false;
                    fetches(named.as_ref(), !package, act);
                }
                at += usize::from(attached.is_none());
            }
            "--no-install" | "--no" | "--offline" => local = true,
            "--python" | "--prefix" | "--cwd" | "-C" | "--dir" => at += usize::from(attached.is_none()),
            "--" => {}
            _ if text.starts_with('-') && text.len() > 1 => {}
            _ => {
                let rest = arguments.get(at - 1..).unwrap_or_default();
                if argument.known().is_none() {
                    act.dynamic(Dynamic::Program);
                } else if text.starts_with(['.', '/']) {
                    walker.run_file(argument, act);
                } else if is_tool(argument) {
                    act.argv("npx", rest);
                } else {
                    if !local {
                        act.command.known = false;
                        fetches(Some(argument), false, act);
                    }
                    rest.iter().skip(1).for_each(|argument| walker.mention(argument, act));
                }
                return;
            }
        }
    }
}

fn is_tool(argument: &Argument) -> bool {
    argument.known().is_some_and(|name| TOOLS.contains(&name))
}

/// From an address or a repository that the line names, it is a download that is run.
fn fetches(package: Option<&Argument>, elsewhere: bool, act: &mut Act) {
    act.effect(Effect::Fetches);
    let address = package.is_some_and(|package| {
        let text = package.text();
        text.contains("://") || text.contains(':') || text.contains('/') && !text.starts_with('@')
    });
    if elsewhere || address {
        act.effect(Effect::ExecutesDownload);
    }
}
