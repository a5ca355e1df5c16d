//! Names that can be written anywhere: on every system, into any folder, beside each other.

use std::collections::HashSet;

use super::Contents;

/// The longest name, in characters.
const LONGEST: usize = 100;
/// Names that Windows keeps for devices, whatever follows a dot.
const RESERVED: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
    "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// A name as one part of a path; `otherwise` if nothing of it is left.
pub(super) fn safe(name: &str, otherwise: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last
        .chars()
        // Marks that turn the direction of writing would disguise what kind of file it is.
        .filter(|character| !character.is_control() && !is_format(*character))
        .map(|character| if "<>:\"|?*".contains(character) { '-' } else { character })
        .collect();
    let plain = plain.trim().trim_start_matches('.').trim_end_matches(['.', ' ']).trim_start();
    let plain = shortened(plain);
    let stem = plain.split('.').next().unwrap_or_default().trim().to_ascii_lowercase();
    if plain.is_empty() {
        otherwise.to_owned()
    } else if RESERVED.contains(&stem.as_str()) {
        format!("{otherwise}-{plain}")
    } else {
        plain
    }
}

fn is_format(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Cuts a long name and keeps what kind of file it is.
fn shortened(name: &str) -> String {
    if name.chars().count() <= LONGEST {
        return name.to_owned();
    }
    let (stem, ending) = parts(name);
    let ending: String = ending.chars().take(12).collect();
    let room = LONGEST - ending.chars().count();
    let stem: String = stem.chars().take(room).collect();
    stem.trim_end_matches(['.', ' ']).to_owned() + &ending
}

/// A name and its ending with the dot.
fn parts(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(at) if at > 0 => name.split_at(at),
        _ => (name, ""),
    }
}

/// Names that are taken in one folder, whatever their case.
#[derive(Default)]
pub(super) struct Taken(HashSet<String>);

impl Taken {
    /// The name, or the next free one: `letter-2.txt`.
    pub(super) fn unique(&mut self, name: &str) -> String {
        let (stem, ending) = parts(name);
        let mut candidate = name.to_owned();
        let mut number = 2_u64;
        while !self.0.insert(candidate.to_lowercase()) {
            candidate = format!("{stem}-{number}{ending}");
            number += 1;
        }
        candidate
    }
}

/// The folders of a package's systems.
pub(super) struct Names(Vec<String>);

impl Names {
    pub(super) fn of_systems(contents: &Contents<'_>) -> Self {
        // What the package itself names.
        let mut taken = Taken(HashSet::from(
            ["manifest.json", "index.html", "information.html", "information.json"].map(str::to_owned),
        ));
        Self(
            contents.systems.iter().map(|system| taken.unique(&safe(&system.connection, "system"))).collect(),
        )
    }

    pub(super) fn folder(&self, system: usize) -> &str {
        self.0.get(system).map_or("system", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("../../etc/passwd", "passwd")]
    #[case("C:\\temp\\letter.txt", "letter.txt")]
    #[case(".htaccess", "htaccess")]
    #[case("..", "file")]
    #[case("CON.txt", "file-CON.txt")]
    #[case("invoice\u{202e}fdp.exe", "invoicefdp.exe")]
    #[case("a:b?.csv", "a-b-.csv")]
    fn names(#[case] given: &str, #[case] expected: &str) {
        assert_eq!(safe(given, "file"), expected);
    }

    proptest! {
        #[test]
        fn a_safe_name_is_one_plain_part_of_a_path(name in ".{0,300}") {
            let safe = safe(&name, "file");
            prop_assert!(!safe.is_empty() && safe.chars().count() <= LONGEST + 5);
            prop_assert!(!safe.starts_with('.') && !safe.ends_with('.') && !safe.ends_with(' '));
            prop_assert!(!safe.chars().any(|one| one.is_control() || "/\\:<>\"|?*".contains(one)));
        }

        #[test]
        fn names_in_one_folder_differ_whatever_their_case(names in proptest::collection::vec("[aA].?(txt)?", 0..40)) {
            let mut taken = Taken::default();
            let unique: HashSet<String> = names.iter().map(|name| taken.unique(name).to_lowercase()).collect();
            prop_assert_eq!(unique.len(), names.len());
        }
    }
}
