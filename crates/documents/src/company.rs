//! What a company says about itself in everything that people receive.

/// The company, as its operator describes it. Texts read well when something is missing, and say whom to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Company {
    /// Its name.
    pub name: String,
    /// Where to write with questions.
    pub contact: Option<String>,
    /// Its postal address.
    pub address: Option<String>,
    /// How to reach its data protection officer (GDPR Art. 13(1)(b)).
    pub data_protection_officer: Option<String>,
    /// The authority to complain to (GDPR Art. 15(1)(f)).
    pub supervisory_authority: Option<String>,
    /// What it uses personal data for (GDPR Art. 15(1)(a)).
    pub purposes: Vec<String>,
    /// Who receives it, besides the systems named in a package (GDPR Art. 15(1)(c)).
    pub recipients: Vec<String>,
    /// Where it comes from (GDPR Art. 15(1)(g)).
    pub sources: Vec<String>,
    /// How long it is kept (GDPR Art. 15(1)(d)).
    pub retention: Vec<String>,
    /// Whether it leaves the European Union, and how it is protected then (GDPR Art. 15(2)).
    pub transfers: Option<String>,
    /// Whether decisions are made by machines alone (GDPR Art. 15(1)(h)).
    pub automated_decisions: Option<String>,
}

impl Default for Company {
    fn default() -> Self {
        Self {
            name: "The company".to_owned(),
            contact: None,
            address: None,
            data_protection_officer: None,
            supervisory_authority: None,
            purposes: Vec::new(),
            recipients: Vec::new(),
            sources: Vec::new(),
            retention: Vec::new(),
            transfers: None,
            automated_decisions: None,
        }
    }
}

impl Company {
    /// How to reach it with a question, as part of a sentence.
    #[must_use]
    pub fn reach(&self) -> String {
        match (&self.contact, &self.address) {
            (Some(contact), _) => format!("write to {contact}"),
            (None, Some(address)) => format!("write to {}, {address}", self.name),
            (None, None) => format!("answer to the way in which you reached {}", in_sentence(&self.name)),
        }
    }
}

/// A name within a sentence: the stand-in for a missing one is no name.
fn in_sentence(name: &str) -> &str {
    if name == "The company" { "the company" } else { name }
}
