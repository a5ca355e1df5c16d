//! `[company]`: what documents and mails say about the company.

use habeas_documents::company::Company;

use super::reader::Reader;
use super::values;

pub(super) fn read(reader: &mut Reader) -> Option<Company> {
    let name = reader.required("company.name", values::TEXT);
    let read = Company {
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
