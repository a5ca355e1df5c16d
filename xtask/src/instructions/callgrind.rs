//! Reading what callgrind wrote (Valgrind manual, "Callgrind Format Specification"), without compression of names.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};

/// Instructions of each function itself, by the object file and the name.
pub(super) fn functions(text: &str) -> anyhow::Result<BTreeMap<(String, String), u64>> {
    ensure!(
        text.lines().any(|line| line == "events: Ir"),
        "callgrind's file does not count instructions alone"
    );
    let mut found = BTreeMap::new();
    let (mut object, mut function) = (String::new(), String::new());
    let mut is_of_a_call = false;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("ob=") {
            name.clone_into(&mut object);
        } else if let Some(name) = line.strip_prefix("fn=") {
            name.clone_into(&mut function);
        } else if line.starts_with("calls=") {
            // What the called function took stands in the next line, and at the function itself.
            is_of_a_call = true;
        } else if line.starts_with(|first: char| first.is_ascii_digit()) && !std::mem::take(&mut is_of_a_call)
        {
            let count = line.split(' ').next_back().and_then(|count| count.parse::<u64>().ok());
            let count = count.with_context(|| format!("no count in callgrind's line `{line}`"))?;
            *found.entry((object.clone(), function.clone())).or_default() += count;
        }
    }
    ensure!(!found.is_empty(), "callgrind counted nothing");
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = "version: 1\ncreator: callgrind\npositions: line\nevents: Ir\n\n\
        ob=/target/hot_path\nfl=???\nfn=main\n0 5\ncob=/lib/libc.so.6\ncfi=???\ncfn=memcpy\ncalls=3 0\n0 30\n0 2\n\n\
        ob=/lib/libc.so.6\nfl=???\nfn=memcpy\n0 30\n\ntotals: 37\n";

    #[test]
    fn a_function_is_counted_without_what_it_calls() {
        let found = functions(WRITTEN).unwrap();
        let of = |object: &str, name: &str| found[&(object.to_owned(), name.to_owned())];
        assert_eq!((of("/target/hot_path", "main"), of("/lib/libc.so.6", "memcpy")), (7, 30));
        assert_eq!(found.values().sum::<u64>(), 37, "the total that stands at the end");
    }

    #[test]
    fn a_file_of_something_else_is_refused() {
        assert!(functions("events: Ir Dr\nfn=main\n0 5 2\n").is_err());
        assert!(functions("events: Ir\n").is_err());
    }
}
