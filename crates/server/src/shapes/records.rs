//! Records.

use habeas_casework::queries::RecordCase;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::words::DenialReasonWord;

/// One thing found about the subject.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Record)]
pub(crate) struct RecordShape {
    /// Its id.
    id: String,
    /// Which run found it.
    run: String,
    /// What it is (`contact`).
    kind: String,
    /// The vendor's own id.
    vendor_id: String,
    /// How a reviewer recognises it.
    title: String,
    /// What the vendor holds.
    #[schema(value_type = Object)]
    fields: serde_json::Map<String, serde_json::Value>,
    /// Whether it is part of what is delivered or deleted.
    selected: bool,
    /// Its file, where it has one: `GET .../records/{record}/file`.
    file: Option<RecordFileShape>,
    /// Why it was left out, if a reason was given.
    exception: Option<RecordExceptionShape>,
    /// What its deletion did, once tried.
    deletion: Option<String>,
}

/// A file that was found, as it came.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordFile)]
pub(crate) struct RecordFileShape {
    /// A plain file name.
    name: String,
    /// Its media type, as far as it is known.
    media_type: String,
    /// Its length.
    bytes: u64,
}

/// Why a record was left out.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RecordException)]
pub(crate) struct RecordExceptionShape {
    /// The reason from the law's catalogue.
    code: String,
}

impl From<RecordCase> for RecordShape {
    fn from(case: RecordCase) -> Self {
        let RecordCase { record, content } = case;
        Self {
            id: record.id.to_string(),
            run: record.run.to_string(),
            kind: content.kind,
            vendor_id: content.vendor_id,
            title: content.title,
            fields: content.fields,
            file: content.file.map(|file| RecordFileShape {
                name: file.name().to_owned(),
                media_type: file.media_type().to_owned(),
                bytes: file.size(),
            }),
            selected: record.selected,
            exception: record.exception.map(|code| RecordExceptionShape { code }),
            deletion: record.deletion,
        }
    }
}

/// What a reviewer decides about a record.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RecordSelection)]
pub(crate) struct RecordSelectionShape {
    /// Whether it is part of what is delivered or deleted; left out together with an `exception`, it is not.
    pub(crate) selected: Option<bool>,
    /// Why it is left out.
    pub(crate) exception: Option<NewRecordExceptionShape>,
}

/// Why a record is left out.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRecordException)]
pub(crate) struct NewRecordExceptionShape {
    /// The reason from the law's catalogue.
    pub(crate) code: DenialReasonWord,
}
