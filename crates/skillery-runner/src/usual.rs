//! The usual modules of the standard library, which a parent imports once for all its workers. Each costs every worker a
//! little, as its pages are copied with the parent's, so only those are imported that some skill uses.

const USUAL: [&str; 33] = [
    "asyncio",
    "base64",
    "collections",
    "contextlib",
    "copy",
    "csv",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "functools",
    "hashlib",
    "hmac",
    "html",
    "inspect",
    "itertools",
    "json",
    "logging",
    "math",
    "pathlib",
    "random",
    "re",
    "statistics",
    "string",
    "subprocess",
    "tempfile",
    "textwrap",
    "threading",
    "traceback",
    "typing",
    "unicodedata",
    "urllib",
    "uuid",
];

/// Those that this code imports, as far as its lines tell. What is not code, or is never reached, costs an import too many.
pub(crate) fn used_in(code: &str) -> impl Iterator<Item = &'static str> {
    let lines = code.lines().filter_map(|line| {
        let (word, rest) = line.trim_start().split_once(' ')?;
        match word {
            "import" => Some(rest),
            "from" => rest.split(' ').next(),
            _ => None,
        }
    });
    let names = lines.flat_map(|rest| rest.split(',')).filter_map(|part| part.split_whitespace().next());
    let modules = names.filter_map(|name| {
        let first = name.split('.').next()?;
        USUAL.iter().find(|module| **module == first).copied()
    });
    modules.collect::<std::collections::BTreeSet<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_found_in_lines_of_code() {
        let code = "import json, os.path as path, re\nfrom urllib.parse import quote\n\
                    def f():\n    import hashlib as h\n    from . import csv\n    from yaml import enum\n# import uuid\nimport\n";
        assert_eq!(used_in(code).collect::<Vec<_>>(), ["hashlib", "json", "re", "urllib"]);
    }
}
