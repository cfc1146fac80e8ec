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

/// What a package manager is asked for: a name of its registry, or an address, whose code it fetches and runs.
/// `repositories` if `user/name` is one of those.
pub(in super::super) fn package(walker: &mut Walker<'_>, package: &Argument, repositories: bool, act: &mut Act) {
    if package.is_unknown() {
        act.dynamic(Dynamic::Argument);
        return;
    }
    let text = package.text();
    // `name@…`, `name @ …`: where it comes from; the name itself may begin with the `@` of a scope.
    let source = match text.char_indices().skip(1).find(|(_, letter)| *letter == '@') {
        Some((at, _)) if !text.get(..at).unwrap_or_default().contains([':', '/']) || text.starts_with('@') => {
            text.get(at + 1..).unwrap_or_default().trim_start()
        }
        _ => text,
    };
    let local = source.strip_prefix("file:").or_else(|| source.strip_prefix("link:"));
    let scheme = source.split_once(':').map(|(scheme, _)| scheme);
    if local.is_some() || source.starts_with(['.', '/', '~']) {
        let file = Argument::literal(local.unwrap_or(source).trim_start_matches("//"));
        walker.run_file(&file, act);
    } else if scheme.is_some_and(|scheme| !matches!(scheme, "npm" | "workspace" | "catalog" | "portal" | "jsr")) {
        act.effects(&[Effect::Fetches, Effect::ExecutesDownload]);
        if source.contains("://") {
            walker.url(&Argument::literal(source), act);
        }
    } else if source.contains('/') && !source.starts_with('@') && scheme.is_none() {
        match repositories {
            true => act.effects(&[Effect::Fetches, Effect::ExecutesDownload]),
            false => walker.run_file(&Argument::literal(source), act),
        }
    }
}

/// `go run example.com/tool@latest`: a module that is fetched and run, or built for later.
pub(super) fn module(arguments: &[Argument], act: &mut Act) -> bool {
    for argument in arguments {
        let text = argument.text();
        if text.starts_with(['.', '/']) || text.ends_with(".go") {
            break;
        }
        if argument.is_unknown() {
            act.dynamic(Dynamic::Argument);
        } else if text.contains('@') && !text.starts_with('-') {
            act.effects(&[Effect::Installs, Effect::Fetches]);
            act.command.known = false;
        }
    }
    false
}

/// Plugins that test suites have among their dependencies.
const PLUGINS: &[&str] = &["pytester", "xdist", "pytest_cov", "pytest_asyncio", "pytest_mock", "randomly", "timeout"];

/// `pytest -p plugin`: a module that is loaded, wherever it is found.
pub(super) fn pytest(arguments: &[Argument], act: &mut Act) -> bool {
    for (nth, argument) in arguments.iter().enumerate() {
        let text = argument.prefix();
        let plugin = match text {
            "-p" => arguments.get(nth + 1).cloned(),
            _ if text.starts_with("-p") => Some(argument.after(2)),
            "-o" | "--override-ini" | "--pdbcls" => arguments.get(nth + 1).cloned(),
            _ if text.starts_with("--pdbcls=") || text.starts_with("--override-ini=") => {
                Some(argument.after(text.find('=').map_or(0, |at| at + 1)))
            }
            _ => continue,
        };
        // A setting may hold options of its own.
        let setting = text.starts_with("-o") || text.starts_with("--override");
        let harmless = plugin.as_ref().and_then(Argument::known).is_some_and(|plugin| match setting {
            true => !plugin.trim_start().starts_with("addopts"),
            false => plugin.starts_with("no:") || PLUGINS.contains(&plugin),
        });
        if !harmless {
            act.dynamic(Dynamic::Code);
        }
    }
    false
}
