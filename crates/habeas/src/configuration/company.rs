//! `[company]`: what documents and mails say about the company.

use super::reader::Reader;
use super::values;

/// What the company tells people about itself and about what it does with their data (GDPR, articles 13 to 15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CompanySettings {
    /// What it is called.
    pub(crate) name: String,
    /// How people reach it: an address, a telephone number.
    pub(crate) contact: Option<String>,
    /// Where it is; may have several lines.
    pub(crate) address: Option<String>,
    /// Who its data protection officer is and how they are reached.
    pub(crate) data_protection_officer: Option<String>,
    /// The authority at which people may complain.
    pub(crate) supervisory_authority: Option<String>,
    /// Why it holds personal data.
    pub(crate) purposes: Vec<String>,
    /// To whom it passes them on.
    pub(crate) recipients: Vec<String>,
    /// Where it has them from.
    pub(crate) sources: Vec<String>,
    /// How long it keeps them.
    pub(crate) retention: Vec<String>,
    /// Whether they go to other countries, and what protects them there.
    pub(crate) transfers: Option<String>,
    /// Whether decisions are made by programs alone, and how.
    pub(crate) automated_decisions: Option<String>,
}

impl CompanySettings {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let name = reader.required("company.name", values::TEXT);
        let read = Self {
            name: name.clone().unwrap_or_default(),
            contact: reader.optional("company.contact", values::TEXT),
            address: reader.optional("company.address", values::TEXT),
            data_protection_officer: reader.optional("company.data_protection_officer", values::TEXT),
            supervisory_authority: reader.optional("company.supervisory_authority", values::TEXT),
            purposes: reader.list("company.purposes", values::TEXT),
            recipients: reader.list("company.recipients", values::TEXT),
            sources: reader.list("company.sources", values::TEXT),
            retention: reader.list("company.retention", values::TEXT),
            transfers: reader.optional("company.transfers", values::TEXT),
            automated_decisions: reader.optional("company.automated_decisions", values::TEXT),
        };
        name.map(|_| read)
    }
}
