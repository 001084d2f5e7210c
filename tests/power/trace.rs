//! What `strace -f -y -xx` wrote, as calls: where each began, and where it had ended.

use std::{collections::BTreeMap, path::Path, process::Command};

/// Calls that change no file, name none, and say nothing to anybody: left out of a trace, as a server makes thousands of them.
/// Whatever is not in here is traced, and the recorder has to know it where it is about the folder.
const HARMLESS: [&str; 42] = [
    "access",
    "arch_prctl",
    "brk",
    "clock_gettime",
    "clock_nanosleep",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_wait",
    "exit",
    "faccessat",
    "fstat",
    "futex",
    "getdents64",
    "getpid",
    "getrandom",
    "gettid",
    "madvise",
    "membarrier",
    "mprotect",
    "munmap",
    "nanosleep",
    "newfstatat",
    "pause",
    "poll",
    "ppoll",
    "pread64",
    "prlimit64",
    "recvfrom",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_getaffinity",
    "sched_yield",
    "set_robust_list",
    "set_tid_address",
    "sigaltstack",
    "stat",
    "statfs",
    "statx",
];

/// Longest text of one call that is written whole: more than any commit of a test.
const TEXT_BYTES_MAX: &str = "67108864";

/// The command that runs what is added to it, and writes down its calls. `fault` is what `--inject` takes.
pub fn strace(out: &Path, fault: Option<&str>) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-xx", "-s", TEXT_BYTES_MAX]);
    // Calls of other machines have a question mark: none of these is there on all of them.
    let harmless = HARMLESS.map(|name| format!("?{name}")).join(",");
    command.args(["-e", &format!("trace=!{harmless}"), "-o"]).arg(out);
    match fault {
        Some(fault) => command.args(["-e", &format!("inject={fault}")]),
        // Nothing is injected behind this filter, which makes all that isn't traced as fast as ever.
        None => command.arg("--seccomp-bpf"),
    };
    command
}

/// Whether there is an strace that may trace.
pub fn is_there() -> bool {
    let traced = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    traced.is_ok_and(|output| output.status.success())
}

/// A call of a traced process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub name: String,
    /// As they are written, one by one.
    pub arguments: Vec<String>,
    /// None where the process ended within it: it may have been carried out, in part or not at all.
    pub result: Option<i64>,
    /// The line before which it can't have had any effect.
    pub began: usize,
    /// The line after which it has had all of it.
    pub ended: Option<usize>,
}

/// The calls of a trace, in the order in which they began. Lines are counted from `first`.
///
/// # Errors
/// The line that is not understood.
pub fn parse(text: &str, first: usize) -> Result<Vec<Call>, String> {
    let (mut calls, mut unfinished) = (Vec::new(), BTreeMap::new());
    for (at, line) in (first..).zip(text.lines()) {
        let wrong = |problem: &str| format!("line {at} of the trace: {problem}: {line:.200}");
        let (thread, rest) = line.split_once(' ').ok_or_else(|| wrong("it has no thread"))?;
        let rest = rest.trim_start();
        if rest.starts_with("---") || rest.starts_with("+++") {
            continue;
        }
        if let Some(resumed) = rest.strip_prefix("<... ") {
            let (name, rest) = resumed.split_once(" resumed>").ok_or_else(|| wrong("nothing is resumed"))?;
            let (number, text): (usize, String) =
                unfinished.remove(thread).ok_or_else(|| wrong("nothing was unfinished"))?;
            let call: &mut Call = &mut calls[number];
            if call.name != name {
                return Err(wrong("another call was unfinished"));
            }
            finish(call, &format!("{text}{rest}"), at).ok_or_else(|| wrong("its end is not understood"))?;
            continue;
        }
        let (name, rest) = rest.split_once('(').ok_or_else(|| wrong("it is no call"))?;
        let mut call = Call { name: name.to_owned(), arguments: Vec::new(), result: None, began: at, ended: None };
        match rest.strip_suffix("<unfinished ...>") {
            Some(text) => {
                call.arguments = arguments(text.trim_end());
                if unfinished.insert(thread.to_owned(), (calls.len(), text.trim_end().to_owned())).is_some() {
                    return Err(wrong("two calls of one thread at once"));
                }
            }
            None => finish(&mut call, rest, at).ok_or_else(|| wrong("its end is not understood"))?,
        }
        calls.push(call);
    }
    Ok(calls)
}

/// Takes in what follows the opening bracket of a call.
fn finish(call: &mut Call, text: &str, at: usize) -> Option<()> {
    let (before, result) = text.rsplit_once(" = ")?;
    let inside = before.trim_end().strip_suffix(')')?;
    call.arguments = arguments(inside.trim_end().trim_end_matches("<unfinished ...>").trim_end());
    let number = result.split([' ', '<']).next()?;
    if number.starts_with('?') {
        return Some(());
    }
    let hexadecimal = number.strip_prefix("0x").map(|digits| u64::from_str_radix(digits, 16).map(u64::cast_signed));
    call.result = Some(hexadecimal.unwrap_or_else(|| number.parse()).ok()?);
    call.ended = Some(at);
    Some(())
}

/// What stands between the commas outside of all brackets. Texts are hexadecimal, so there is none in them.
fn arguments(text: &str) -> Vec<String> {
    let (mut depth, mut found, mut current) = (0_usize, Vec::new(), String::new());
    for letter in text.chars() {
        match letter {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' | '>' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                found.push(std::mem::take(&mut current).trim().to_owned());
                continue;
            }
            _ => {}
        }
        current.push(letter);
    }
    if !current.trim().is_empty() {
        found.push(current.trim().to_owned());
    }
    found
}

impl Call {
    /// An argument; empty where there is none.
    pub fn argument(&self, number: usize) -> &str {
        self.arguments.get(number).map_or("", String::as_str)
    }

    pub fn number(&self, argument: usize) -> Option<i64> {
        let text = self.argument(argument).split('<').next()?;
        if text == "AT_FDCWD" { Some(-100) } else { text.parse().ok() }
    }

    /// The path that the system shows for a descriptor.
    pub fn shown(&self, argument: usize) -> Option<String> {
        let (_, path) = self.argument(argument).split_once('<')?;
        String::from_utf8(unescaped(path.strip_suffix('>')?)?).ok()
    }

    /// A text; none where it is no text, or not whole.
    pub fn text(&self, argument: usize) -> Option<Vec<u8>> {
        unescaped(self.argument(argument).strip_prefix('"')?.strip_suffix('"')?)
    }

    /// All texts of an argument, one after another, as those of a vector; none where one is not whole.
    pub fn texts(&self, argument: usize) -> Option<Vec<u8>> {
        let argument = self.argument(argument);
        if argument.contains("...") {
            return None;
        }
        let quoted = argument.split('"').skip(1).step_by(2);
        quoted.map(unescaped).collect::<Option<Vec<_>>>().map(|texts| texts.concat())
    }
}

/// The bytes that `\x6f\x6b` stands for.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let letters = text.as_bytes().chunks(4);
    letters
        .map(|letter| match letter {
            [b'\\', b'x', high, low] => Some(digit(*high)? * 16 + digit(*low)?),
            _ => None,
        })
        .collect()
}

/// How bytes stand in a trace.
pub fn escaped(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 4), |text, byte| text + &format!("\\x{byte:02x}"))
}
