//! Invented people. The same seed gives the same people to every vendor, so that one request finds the same
//! person in several of them; what each vendor knows about them is its own business.
//!
//! Every twentieth person is difficult in each of the ways of [`Quirk`].

use crate::random::Random;

const FIRST_NAMES: &[&str] = &[
    "Ada", "Amir", "Bea", "Bruno", "Carla", "Chidi", "Dana", "Diego", "Elif", "Emil", "Farah", "Felix",
    "Grace", "Gustav", "Hana", "Hugo", "Ines", "Ivan", "Jana", "Jonas", "Keiko", "Kofi", "Lena", "Luca",
    "Mara", "Milan", "Nadia", "Nils", "Olga", "Omar", "Paula", "Pavel", "Rosa", "Ravi", "Sofia", "Stefan",
    "Tara", "Tomas", "Uma", "Viktor", "Wanda", "Yusuf", "Zoe", "Zoran",
];
const LAST_NAMES: &[&str] = &[
    "Adler", "Almeida", "Baker", "Bauer", "Costa", "Dahl", "Dubois", "Eriksen", "Fischer", "Garcia", "Haas",
    "Horvat", "Ito", "Jansen", "Kaya", "Keller", "Kowalski", "Larsen", "Lopez", "Martin", "Moreau", "Nagy",
    "Novak", "Oduya", "Olsen", "Patel", "Peeters", "Quist", "Reyes", "Rossi", "Sato", "Schmid", "Sousa",
    "Tanaka", "Torres", "Ueda", "Varga", "Weber", "Yilmaz", "Zeman",
];

/// What is difficult about a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quirk {
    /// Nothing.
    None,
    /// Where a vendor knows several addresses, the email is only on the second one.
    EmailOnSecond,
    /// The email is in upper case.
    UpperCase,
    /// Vendors do not know the email.
    NoEmail,
    /// The email has a `+tag`.
    Tagged,
    /// The email is that of the person before.
    Shared,
    /// It is a company.
    Company,
}

impl Quirk {
    fn of(number: usize) -> Self {
        match number % 20 {
            3 => Self::EmailOnSecond,
            6 => Self::UpperCase,
            9 => Self::NoEmail,
            12 => Self::Tagged,
            15 => Self::Shared,
            18 => Self::Company,
            _ => Self::None,
        }
    }
}

/// Somebody who does not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    /// Position in the sequence, from 0.
    pub(crate) number: usize,
    pub(crate) quirk: Quirk,
    pub(crate) first_name: &'static str,
    pub(crate) last_name: &'static str,
    /// As vendors write it; to be left out for [`Quirk::NoEmail`].
    pub(crate) email: String,
    pub(crate) phone: String,
}

/// The first people of a seed, in their order.
pub(crate) fn invent(people: usize, seed: u64) -> impl Iterator<Item = Person> {
    let mut random = Random::for_purpose(seed, "people");
    let mut previous_email = String::new();
    (0..people).map(move |number| {
        let quirk = Quirk::of(number);
        let first_name: &'static str = random.pick(FIRST_NAMES);
        let last_name: &'static str = random.pick(LAST_NAMES);
        let local = format!("{}.{}", first_name.to_ascii_lowercase(), last_name.to_ascii_lowercase());
        let email = match quirk {
            Quirk::UpperCase => format!("{local}.{number}@example.test").to_ascii_uppercase(),
            Quirk::Tagged => format!("{local}.{number}+shop@example.test"),
            Quirk::Shared if !previous_email.is_empty() => previous_email.clone(),
            _ => format!("{local}.{number}@example.test"),
        };
        previous_email.clone_from(&email);
        Person { number, quirk, first_name, last_name, email, phone: format!("555{:04}", number % 10_000) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_people_are_the_first_of_more() {
        let more: Vec<_> = invent(40, 5).collect();
        assert_eq!(invent(10, 5).collect::<Vec<_>>(), more[..10]);
        assert_ne!(invent(10, 6).collect::<Vec<_>>(), more[..10]);
        assert_eq!(more[15].email, more[14].email);
        assert!(more[6].email.ends_with("@EXAMPLE.TEST") && more[12].email.contains("+shop@"));
    }
}
