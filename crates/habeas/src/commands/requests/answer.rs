//! `habeas requests answer`: what a system's contact said, with files.

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::cli::Answer;
use crate::client::{Call, FormPart};

/// The call that enters an answer: JSON, or a form if there are files.
pub(super) fn call(given: &Answer) -> anyhow::Result<Call> {
    let records = given.records.as_deref().map(records).transpose()?;
    let call = Call::post(&["requests", &given.id.to_string(), "runs", &given.run.to_string(), "answer"]);
    if given.files.is_empty() {
        let members = [
            ("answer", Some(json!(given.answer))),
            ("name", given.name.as_ref().map(|name| json!(name))),
            ("note", given.note.as_ref().map(|note| json!(note))),
            ("records", records),
        ];
        return Ok(call.body(super::object(members)));
    }
    let mut form = vec![FormPart::text("answer", &given.answer)];
    form.extend(given.name.as_deref().map(|name| FormPart::text("name", name)));
    form.extend(given.note.as_deref().map(|note| FormPart::text("note", note)));
    form.extend(records.map(|records| FormPart::text("records", &records.to_string())));
    for path in &given.files {
        form.push(file(path)?);
    }
    Ok(call.form(form))
}

fn records(path: &Path) -> anyhow::Result<Value> {
    let text = std::fs::read(path)
        .with_context(|| format!("--records {}: the file cannot be read", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| {
        // serde's own text would quote what stands there.
        anyhow::anyhow!(
            "--records {}: not JSON (line {}, column {})",
            path.display(),
            error.line(),
            error.column()
        )
    })
}

fn file(path: &Path) -> anyhow::Result<FormPart> {
    let bytes =
        std::fs::read(path).with_context(|| format!("--file {}: the file cannot be read", path.display()))?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(FormPart::file("files", &name, bytes))
}
