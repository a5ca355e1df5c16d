//! The shapes of customer data requests, which the vendor does not document: one object that can be swapped.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How a downloaded file comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileFormat {
    /// The JSON document itself, as the vendor's exports come without an envelope.
    Json,
    /// The JSON document as `result` of the usual envelope.
    Enveloped,
    /// A zip archive with one JSON file.
    Zip,
    /// The JSON document, gzipped.
    Gzip,
}

/// The shapes. The four answers are what stands in `result`; in them the strings `$id`, `$percent`,
/// `$created`, `$reason`, `$fileId` (the first file), `$fileIds` (all) and `$files` (all, as objects with
/// `fileId`) stand for what they say.
///
/// As JSON the name of a preset can stand for the whole: `"guess"`, `"export_job"` or `"export_progress"`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Form")]
pub struct CustomerDataTemplate {
    /// The field of the request body that holds the emails: an array, or (own choice) one string.
    pub emails_field: String,
    /// Answer to the creation.
    pub created: Value,
    /// Progress of a request that has not ended.
    pub pending: Value,
    /// Progress of a request that has ended well.
    pub completed: Value,
    /// Progress of a request that has failed.
    pub failed: Value,
    /// How many files there are, at least one: survey responses lie in the first, everything else in the last.
    pub files: usize,
    /// How they come.
    pub file_format: FileFormat,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected `guess`, `export_job`, `export_progress`, or a whole template")]
enum Form {
    Preset(Preset),
    Whole(Whole),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Preset {
    Guess,
    ExportJob,
    ExportProgress,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    emails_field: String,
    created: Value,
    pending: Value,
    completed: Value,
    failed: Value,
    files: usize,
    file_format: FileFormat,
}

impl From<Form> for CustomerDataTemplate {
    fn from(form: Form) -> Self {
        match form {
            Form::Preset(Preset::Guess) => Self::guess(),
            Form::Preset(Preset::ExportJob) => Self::export_job(),
            Form::Preset(Preset::ExportProgress) => Self::export_progress(),
            Form::Whole(whole) => Self {
                emails_field: whole.emails_field,
                created: whole.created,
                pending: whole.pending,
                completed: whole.completed,
                failed: whole.failed,
                files: whole.files,
                file_format: whole.file_format,
            },
        }
    }
}

impl CustomerDataTemplate {
    /// The reference's guess: `customerDataRequestId`, `percentComplete`, one `fileId`.
    #[must_use]
    pub fn guess() -> Self {
        Self {
            emails_field: "emails".to_owned(),
            created: json!({"customerDataRequestId": "$id", "status": "inProgress", "percentComplete": "$percent"}),
            pending: json!({"percentComplete": "$percent", "status": "inProgress"}),
            completed: json!({"percentComplete": "$percent", "status": "complete", "fileId": "$fileId"}),
            failed: json!({"percentComplete": "$percent", "status": "failed"}),
            files: 1,
            file_format: FileFormat::Json,
        }
    }

    /// After the vendor's contact export: `jobId`, here with `fileIds` for two files.
    #[must_use]
    pub fn export_job() -> Self {
        Self {
            created: json!({"jobId": "$id", "createdDate": "$created"}),
            completed: json!({"percentComplete": "$percent", "status": "complete", "fileIds": "$fileIds"}),
            files: 2,
            ..Self::guess()
        }
    }

    /// After the vendor's survey export: `progressId` and a zip archive, here with `files` for two files.
    #[must_use]
    pub fn export_progress() -> Self {
        Self {
            created: json!({"progressId": "$id", "percentComplete": "$percent", "status": "inProgress"}),
            completed: json!({"percentComplete": "$percent", "status": "complete", "files": "$files"}),
            failed: json!({"percentComplete": "$percent", "status": "failed", "failureReason": "$reason"}),
            files: 2,
            file_format: FileFormat::Zip,
            ..Self::guess()
        }
    }
}

/// What the `$` strings of a template stand for.
#[derive(Debug)]
pub(super) struct Filling<'a> {
    pub(super) id: &'a str,
    pub(super) percent: f64,
    pub(super) created: String,
    pub(super) reason: Option<&'a str>,
    pub(super) files: &'a [String],
}

impl Filling<'_> {
    pub(super) fn fill(&self, template: &Value) -> Value {
        match template {
            Value::String(text) => match text.as_str() {
                "$id" => json!(self.id),
                "$percent" => json!(self.percent),
                "$created" => json!(self.created),
                "$reason" => json!(self.reason),
                "$fileId" => json!(self.files.first()),
                "$fileIds" => json!(self.files),
                "$files" => self.files.iter().map(|id| json!({ "fileId": id })).collect(),
                _ => template.clone(),
            },
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| (name.clone(), self.fill(value))).collect()
            }
            _ => template.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_by_name_and_whole_templates() {
        let read = |text: &str| serde_json::from_str::<CustomerDataTemplate>(text);
        assert_eq!(read("\"export_job\"").unwrap(), CustomerDataTemplate::export_job());
        let whole = CustomerDataTemplate { files: 3, ..CustomerDataTemplate::export_progress() };
        assert_eq!(read(&serde_json::to_string(&whole).unwrap()).unwrap(), whole);
        assert!(read("\"other\"").is_err());
        assert!(read(r#"{"files": 1}"#).is_err());
    }

    #[test]
    fn filling() {
        let files = ["a".to_owned(), "b".to_owned()];
        let filling =
            Filling { id: "J", percent: 50.0, created: "then".to_owned(), reason: None, files: &files };
        let template =
            json!({"x": ["$id", "$percent", "$files"], "y": {"z": "$fileIds", "r": "$reason"}, "s": "$?"});
        let filled = json!({"x": ["J", 50.0, [{"fileId": "a"}, {"fileId": "b"}]],
            "y": {"z": ["a", "b"], "r": null}, "s": "$?"});
        assert_eq!(filling.fill(&template), filled);
    }
}
