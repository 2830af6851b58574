//! Which function of a file is the skill, and what it is called with.

use serde_json::json;

use crate::harness::{failure, output};

#[tokio::test]
async fn the_function_named_like_the_skill_comes_first() {
    let code = "def main(): return 'main'\ndef subject(): return 'named'\ndef run(): return 'run'";
    assert_eq!(output(code, json!({})).await, json!("named"));
}

#[tokio::test]
async fn then_main_then_run_then_the_only_public_one() {
    assert_eq!(
        output("def other(): return 1\ndef run(): return 2\ndef main(): return 3", json!({})).await,
        json!(3)
    );
    assert_eq!(output("def other(): return 1\ndef run(): return 2", json!({})).await, json!(2));
    assert_eq!(output("def _hidden(): return 1\ndef validate(): return 4", json!({})).await, json!(4));
    assert_eq!(output("def validate(): return 5\nalias = validate", json!({})).await, json!(5));
}

#[tokio::test]
async fn what_is_imported_does_not_count() {
    let code = "from subprocess import run\nfrom os.path import join\ndef validate(): return 'mine'";
    assert_eq!(output(code, json!({})).await, json!("mine"));
}

#[tokio::test]
async fn without_an_entry_what_was_found_is_listed() {
    insta::assert_snapshot!(failure("def one(): pass\ndef two(): pass\ndef _three(): pass", json!({})).await, @"failed: no-entry-function: the skill has no function `subject`, `main` or `run`, and the public functions `one`, `two`");
    insta::assert_snapshot!(failure("X = 1\nclass Subject: pass", json!({})).await, @"failed: no-entry-function: the skill has no function `subject`, `main` or `run`, and no public function");
}

#[tokio::test]
async fn dashes_and_dots_of_the_name_are_underscores() {
    use crate::harness::{source, values};
    let code = "def other(): return 1\ndef email_validator(): return __name__";
    let skill = source("email-validator", code);
    let outcome =
        skillery_runner::run_skill(&skill, values(json!({})), &Default::default(), &|_| ()).await.unwrap();
    assert_eq!(outcome.output, json!("skill_email_validator"));
    assert_eq!((outcome.skill.as_str(), outcome.version.as_str()), ("acme/email-validator", "1.0.0"));
}

#[tokio::test]
async fn inputs_are_keyword_arguments_of_any_kind() {
    let code = "def subject(a, /, b, c=3, *, d, e=5): return [a, b, c, d, e]";
    assert_eq!(
        output(code, json!({"a": 1, "b": 2, "d": {"x": [null]}})).await,
        json!([1, 2, 3, {"x": [null]}, 5])
    );
    let code = "def subject(a=1, b=2, /): return [a, b]";
    assert_eq!(output(code, json!({"b": 7})).await, json!([1, 7]));
    let code = "def subject(first, **rest): return [first, rest]";
    assert_eq!(output(code, json!({"first": 1, "x": 2, "y": 3})).await, json!([1, {"x": 2, "y": 3}]));
    let code = "def subject(*args): return len(args)";
    assert_eq!(output(code, json!({})).await, json!(0));
}

#[tokio::test]
async fn inputs_that_do_not_fit_are_named_before_the_call() {
    let code = "def subject(email, domain, strict=False): raise SystemError('called')";
    insta::assert_snapshot!(failure(code, json!({"mail": "x", "domain": "y", "zip": 1})).await, @"failed: bad-inputs: `subject` needs `email`, which the step does not give, and does not take `mail`, `zip`; it takes `email`, `domain`, `strict` (optional); the step gives `domain`, `mail`, `zip`");
    insta::assert_snapshot!(failure(code, json!({"domain": "y"})).await, @"failed: bad-inputs: `subject` needs `email`, which the step does not give; it takes `email`, `domain`, `strict` (optional); the step gives `domain`");
    insta::assert_snapshot!(failure("def subject(*args): pass", json!({"args": 1})).await, @"failed: bad-inputs: `subject` does not take `args`; it takes nothing; the step gives `args`");
}

#[tokio::test]
async fn coroutines_are_awaited() {
    let code = "import asyncio\nasync def subject(n):\n    await asyncio.sleep(0)\n    return n + 1";
    assert_eq!(output(code, json!({"n": 1})).await, json!(2));
    let code = "import asyncio\nasync def subject():\n    raise ValueError('later')";
    assert_eq!(failure(code, json!({})).await, "failed: ValueError: later");
}

#[tokio::test]
async fn a_file_that_is_not_python_says_where() {
    insta::assert_snapshot!(failure("def subject(:\n    pass", json!({})).await, @"failed: SyntaxError: invalid syntax (line 1, column 13)");
    insta::assert_snapshot!(failure("import no_such_module_anywhere", json!({})).await, @"failed: ModuleNotFoundError: No module named 'no_such_module_anywhere'");
    insta::assert_snapshot!(failure("", json!({})).await, @"failed: no-entry-function: the skill has no function `subject`, `main` or `run`, and no public function");
}

#[tokio::test]
async fn dataclasses_and_source_lines_work_as_in_a_file() {
    let code = "\
from __future__ import annotations
import dataclasses, inspect

@dataclasses.dataclass
class Point:
    x: int
    y: int = 2

def subject(x):
    return [dataclasses.asdict(Point(x)), inspect.getsource(subject).splitlines()[0]]

if __name__ == '__main__':
    raise SystemExit('run as a script')
";
    assert_eq!(output(code, json!({"x": 1})).await, json!([{"x": 1, "y": 2}, "def subject(x):"]));
}

#[tokio::test]
async fn the_surroundings_are_the_workers_own() {
    let code = "\
import os, sys, signal
def subject():
    with open('note', 'w') as file:
        file.write('x')
    return {
        'home': os.environ['HOME'] == os.getcwd(),
        'names': sorted(key for key in os.environ if not key.startswith('LC_')),
        'stdin': sys.stdin.read(),
        'session': os.getsid(0) == os.getpid(),
        'descriptors': sorted(int(name) for name in os.listdir('/dev/fd') if os.path.exists('/dev/fd/' + name)),
        'files': os.listdir('.'),
    }
";
    let found = output(code, json!({})).await;
    assert_eq!(found["home"], json!(true));
    assert_eq!(found["names"], json!(["HOME", "LANG", "PATH", "TMPDIR"]));
    assert_eq!(found["stdin"], json!(""));
    assert_eq!(found["session"], json!(true));
    // The channel is the fourth, the file for a large reply the fifth.
    assert_eq!(found["descriptors"], json!([0, 1, 2, 3, 4]));
    assert_eq!(found["files"], json!(["note"]));
}
