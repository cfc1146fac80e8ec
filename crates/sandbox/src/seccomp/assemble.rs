//! From a table of rules to a program of classic BPF: a binary search over the call's number.
//!
//! The kernel runs the program once per call number when it is installed (to learn which numbers are always allowed),
//! so a program that compares number after number costs milliseconds at every launch. The tree needs some twenty steps.

use super::{Answer, Clause, Rule, Test, Wanted};

/// One instruction of classic BPF, as `struct sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    pub(crate) when_true: u8,
    pub(crate) when_false: u8,
    pub(crate) operand: u32,
}

/// `BPF_LD | BPF_W | BPF_ABS`
const LOAD: u16 = 0x20;
/// `BPF_ALU | BPF_AND | BPF_K`
const AND: u16 = 0x54;
/// `BPF_JMP | BPF_JA`
const JUMP: u16 = 0x05;
/// `BPF_JMP | BPF_JEQ | BPF_K`
const IF_EQUAL: u16 = 0x15;
/// `BPF_JMP | BPF_JGE | BPF_K`
const IF_AT_LEAST: u16 = 0x35;
/// `BPF_JMP | BPF_JSET | BPF_K`
const IF_SOME: u16 = 0x45;
/// `BPF_RET | BPF_K`
const RETURN: u16 = 0x06;

/// Offsets in `struct seccomp_data`.
const NUMBER_AT: u32 = 0;
const ARCHITECTURE_AT: u32 = 4;
const ARGUMENTS_AT: u32 = 16;

/// Numbers from here on are x32's on x86-64, and nobody's elsewhere.
const FOREIGN_NUMBERS: u32 = 0x4000_0000;

#[cfg(target_arch = "x86_64")]
pub(super) const ARCHITECTURE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
pub(super) const ARCHITECTURE: u32 = 0xc000_00b7;

/// The program for `rules`; a number that none of them names gets `unknown`. Of two rules for one number the first
/// counts.
pub(crate) fn program(rules: &[Rule], unknown: Answer) -> Vec<Instruction> {
    let mut code = vec![
        Instruction { code: LOAD, when_true: 0, when_false: 0, operand: ARCHITECTURE_AT },
        Instruction { code: IF_EQUAL, when_true: 1, when_false: 0, operand: ARCHITECTURE },
        answer(Answer::Kill),
        Instruction { code: LOAD, when_true: 0, when_false: 0, operand: NUMBER_AT },
        Instruction { code: IF_AT_LEAST, when_true: 0, when_false: 1, operand: FOREIGN_NUMBERS },
        answer(Answer::Kill),
    ];
    code.extend(tree(&spans(rules, unknown)));
    code
}

/// Numbers from `first` up to the next span, and what happens to them.
struct Span {
    first: u32,
    body: Vec<Instruction>,
}

/// The numbers from 0 on, cut where the answer changes.
fn spans(rules: &[Rule], unknown: Answer) -> Vec<Span> {
    let mut sorted: Vec<&Rule> = rules.iter().collect();
    sorted.sort_by_key(|rule| rule.number);
    sorted.dedup_by_key(|rule| rule.number);
    let mut spans: Vec<Span> = Vec::new();
    let mut next = 0;
    let mut push = |first: u32, body: Vec<Instruction>| match spans.last() {
        Some(last) if last.body == body => {}
        _ => spans.push(Span { first, body }),
    };
    for rule in sorted {
        if rule.number > next {
            push(next, vec![answer(unknown)]);
        }
        push(rule.number, body(rule));
        next = rule.number.saturating_add(1);
    }
    push(next, vec![answer(unknown)]);
    spans
}

/// What is done for one call whose number is known.
fn body(rule: &Rule) -> Vec<Instruction> {
    let mut code: Vec<Instruction> = rule.clauses.iter().flat_map(clause).collect();
    code.push(answer(rule.otherwise));
    code
}

/// The tests one behind the other; the first that fails leaves the clause.
fn clause(clause: &Clause) -> Vec<Instruction> {
    let mut code = vec![answer(clause.then)];
    for test in clause.when.iter().rev() {
        let over = u8::try_from(code.len()).unwrap_or(u8::MAX);
        let mut step = questions(*test, over);
        step.append(&mut code);
        code = step;
    }
    code
}

/// Loads the argument and jumps over `over` instructions unless the test holds.
fn questions(test: Test, over: u8) -> Vec<Instruction> {
    let low_half = if cfg!(target_endian = "little") { 0 } else { 4 };
    let at = ARGUMENTS_AT + 8 * u32::from(test.argument) + low_half;
    let mut code = vec![Instruction { code: LOAD, when_true: 0, when_false: 0, operand: at }];
    match test.wanted {
        Wanted::Equal(value) => {
            if test.mask != u32::MAX {
                code.push(Instruction { code: AND, when_true: 0, when_false: 0, operand: test.mask });
            }
            code.push(Instruction { code: IF_EQUAL, when_true: 0, when_false: over, operand: value });
        }
        Wanted::Some => {
            code.push(Instruction { code: IF_SOME, when_true: 0, when_false: over, operand: test.mask });
        }
    }
    code
}

/// A balanced tree: at each node, numbers from the right half's first on go right.
fn tree(spans: &[Span]) -> Vec<Instruction> {
    match spans {
        [] => vec![answer(Answer::Kill)],
        [one] => one.body.clone(),
        _ => {
            let (left, right) = spans.split_at(spans.len() / 2);
            let pivot = right.first().map_or(0, |span| span.first);
            let (left, right) = (tree(left), tree(right));
            // The left half may be longer than the 255 instructions that a conditional jump reaches; `JUMP` reaches all.
            let over = u32::try_from(left.len()).unwrap_or(u32::MAX);
            let mut code = vec![
                Instruction { code: IF_AT_LEAST, when_true: 0, when_false: 1, operand: pivot },
                Instruction { code: JUMP, when_true: 0, when_false: 0, operand: over },
            ];
            code.extend(left);
            code.extend(right);
            code
        }
    }
}

fn answer(answer: Answer) -> Instruction {
    let operand = match answer {
        Answer::Allow => 0x7fff_0000,
        Answer::Errno(number) => 0x0005_0000 | u32::from(number),
        Answer::Kill => 0x8000_0000,
    };
    Instruction { code: RETURN, when_true: 0, when_false: 0, operand }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Switches, table};
    use super::*;

    /// Classic BPF as the kernel defines it, for the instructions that we emit; `None` for anything else.
    fn run(code: &[Instruction], architecture: u32, number: u32, arguments: [u64; 6]) -> Option<u32> {
        let mut accumulator = 0_u32;
        let mut at = 0_usize;
        // Jumps only go forward, so it ends.
        loop {
            let step = code.get(at)?;
            at += 1;
            let condition = match step.code {
                LOAD => {
                    accumulator = match step.operand {
                        NUMBER_AT => number,
                        ARCHITECTURE_AT => architecture,
                        at => {
                            let word = at.checked_sub(ARGUMENTS_AT)? / 4;
                            let argument = arguments.get(word as usize / 2)?;
                            if word.is_multiple_of(2) { *argument as u32 } else { (*argument >> 32) as u32 }
                        }
                    };
                    continue;
                }
                AND => {
                    accumulator &= step.operand;
                    continue;
                }
                JUMP => {
                    at += step.operand as usize;
                    continue;
                }
                RETURN => return Some(step.operand),
                IF_EQUAL => accumulator == step.operand,
                IF_AT_LEAST => accumulator >= step.operand,
                IF_SOME => accumulator & step.operand != 0,
                _ => return None,
            };
            at += usize::from(if condition { step.when_true } else { step.when_false });
        }
    }

    /// The same, read off the rules.
    fn meant(rules: &[Rule], unknown: Answer, number: u32, arguments: [u64; 6]) -> Answer {
        if number >= FOREIGN_NUMBERS {
            return Answer::Kill;
        }
        let Some(rule) = rules.iter().find(|rule| rule.number == number) else { return unknown };
        let holds = |test: &Test| {
            let bits = arguments[usize::from(test.argument)] as u32 & test.mask;
            match test.wanted {
                Wanted::Equal(value) => bits == value,
                Wanted::Some => bits != 0,
            }
        };
        let hit = rule.clauses.iter().find(|clause| clause.when.iter().all(holds));
        hit.map_or(rule.otherwise, |clause| clause.then)
    }

    fn answers() -> impl Strategy<Value = Answer> {
        prop_oneof![Just(Answer::Allow), Just(Answer::Kill), (0..200_u16).prop_map(Answer::Errno)]
    }

    fn tests() -> impl Strategy<Value = Test> {
        let wanted = prop_oneof![(0..8_u32).prop_map(Wanted::Equal), Just(Wanted::Some)];
        (0..6_u8, prop_oneof![Just(u32::MAX), 0..8_u32], wanted).prop_map(|(argument, mask, wanted)| Test {
            argument,
            mask,
            wanted,
        })
    }

    fn rules() -> impl Strategy<Value = Vec<Rule>> {
        let clause = (prop::collection::vec(tests(), 0..3), answers()).prop_map(|(when, then)| Clause { when, then });
        let rule = (0..600_u32, prop::collection::vec(clause, 0..4), answers());
        let rule = rule.prop_map(|(number, clauses, otherwise)| Rule { number, clauses, otherwise });
        prop::collection::vec(rule, 0..120)
    }

    proptest! {
        #[test]
        fn the_program_says_what_the_rules_say(
            rules in rules(), unknown in answers(),
            number in prop_oneof![0..620_u32, any::<u32>()],
            arguments in prop::array::uniform6(prop_oneof![0..16_u64, any::<u64>()]),
        ) {
            let code = program(&rules, unknown);
            let said = run(&code, ARCHITECTURE, number, arguments);
            prop_assert_eq!(said, Some(answer(meant(&rules, unknown, number, arguments)).operand));
            prop_assert_eq!(run(&code, ARCHITECTURE ^ 1, number, arguments), Some(answer(Answer::Kill).operand));
        }
    }

    #[test]
    fn the_real_table_is_small_and_says_what_it_means() {
        for switches in Switches::all() {
            let rules = table(switches);
            let code = program(&rules, Answer::Errno(38));
            assert!(code.len() < 1000, "{} instructions", code.len());
            for number in (0..600).chain([FOREIGN_NUMBERS, FOREIGN_NUMBERS + 1, u32::MAX]) {
                for argument in [0, 1, 2, 0x5412, 0x5412 | 1 << 32, 0x1000_0000, 0o4755, u64::MAX] {
                    let arguments = [argument; 6];
                    let said = run(&code, ARCHITECTURE, number, arguments);
                    assert_eq!(said, Some(answer(meant(&rules, Answer::Errno(38), number, arguments)).operand));
                }
            }
        }
    }
}
