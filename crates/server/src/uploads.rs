//! Forms with files: read part by part, each file straight into the storage, never whole in memory.

use std::collections::BTreeMap;

use axum::extract::Multipart;
use axum::extract::multipart::{Field, MultipartError};
use axum::http::StatusCode;
use habeas_casework::contacts::MOST_FILES;
use habeas_casework::files::{StoredFile, Upload};
use habeas_casework::{Casework, CaseworkError};
use habeas_documents::words;
use habeas_domain::{Actor, RequestId};

use crate::file_kinds;
use crate::state::UploadLimits;

/// Bytes of a text part at most.
const LONGEST_TEXT: usize = 1 << 20;
/// Text parts at most.
const MOST_TEXTS: usize = 32;
/// Bytes by which a file shows what it is.
const BEGINNING: usize = 8 << 10;

/// Who sends a form.
pub(crate) enum Sender<'s> {
    /// Whoever holds a contact's link: files of known, harmless kinds only.
    Contact(&'s str),
    /// A caller of the API, who works on this request.
    Caller(&'s Actor, RequestId),
}

/// What was in a form.
#[derive(Default)]
pub(crate) struct Form {
    /// Its texts by name.
    pub(crate) texts: BTreeMap<String, String>,
    /// Its files, in the storage.
    pub(crate) files: Vec<StoredFile>,
}

/// Why a form was not taken.
pub(crate) enum Refusal {
    /// It is none.
    Malformed,
    /// A part of it is too large.
    TooLarge(String),
    /// A part of it cannot be used.
    Field(&'static str, String),
    /// It could not be taken in.
    Casework(CaseworkError),
}

/// Reads a form. If it is not taken, its files are given up, and its texts come back for another try.
pub(crate) async fn read(
    multipart: Multipart,
    casework: &Casework,
    sender: &Sender<'_>,
    limits: UploadLimits,
) -> Result<Form, (Refusal, BTreeMap<String, String>)> {
    let mut form = Form::default();
    match read_parts(multipart, casework, sender, limits, &mut form).await {
        Ok(()) => Ok(form),
        Err(refusal) => {
            casework.discard_files(form.files).await;
            Err((refusal, form.texts))
        }
    }
}

async fn read_parts(
    mut multipart: Multipart,
    casework: &Casework,
    sender: &Sender<'_>,
    limits: UploadLimits,
    form: &mut Form,
) -> Result<(), Refusal> {
    let mut total = 0;
    while let Some(part) = multipart.next_field().await.map_err(|error| unreadable(&error))? {
        let name = part.name().unwrap_or_default().to_owned();
        if name == "files" || part.file_name().is_some() {
            // A browser sends an empty part where nobody chose a file.
            let file = read_file(part, casework, sender, limits, total).await?;
            let Some(file) = file else { continue };
            total += file.size();
            form.files.push(file);
            if form.files.len() > MOST_FILES {
                return Err(Refusal::Field(
                    "files",
                    format!("has more than {MOST_FILES} files; put them into an archive"),
                ));
            }
            continue;
        }
        let text = read_text(part).await?;
        if form.texts.len() == MOST_TEXTS || form.texts.insert(name, text).is_some() {
            return Err(Refusal::Field(
                "",
                "has a part twice, or too many of them; only `files` may be repeated".to_owned(),
            ));
        }
    }
    Ok(())
}

async fn read_text(mut part: Field<'_>) -> Result<String, Refusal> {
    let mut bytes = Vec::new();
    while let Some(piece) = part.chunk().await.map_err(|error| unreadable(&error))? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > LONGEST_TEXT {
            return Err(Refusal::TooLarge("a text is longer than 1 MB; send it as a file".to_owned()));
        }
    }
    String::from_utf8(bytes).map_err(|_| Refusal::Malformed)
}

async fn read_file(
    mut part: Field<'_>,
    casework: &Casework,
    sender: &Sender<'_>,
    limits: UploadLimits,
    before: u64,
) -> Result<Option<StoredFile>, Refusal> {
    let name = part.file_name().unwrap_or_default().to_owned();
    let media_type = part.content_type().unwrap_or_default().to_owned();
    let mut upload: Option<Upload> = None;
    let (mut beginning, mut size) = (Vec::new(), 0_u64);
    while let Some(piece) = part.chunk().await.map_err(|error| unreadable(&error))? {
        size += piece.len() as u64;
        if size > limits.file {
            return Err(Refusal::TooLarge(format!(
                "a file is larger than {}; send it in parts",
                words::size(limits.file)
            )));
        }
        if before + size > limits.answer {
            return Err(Refusal::TooLarge(format!(
                "the files together are larger than {}; send fewer or smaller ones",
                words::size(limits.answer)
            )));
        }
        match &mut upload {
            Some(upload) => upload.write(&piece).await.map_err(Refusal::Casework)?,
            None => {
                beginning.extend_from_slice(&piece);
                if beginning.len() >= BEGINNING {
                    upload = Some(begin(casework, sender, &name, &beginning).await?);
                }
            }
        }
    }
    if size == 0 {
        let is_left_out = name.is_empty() || matches!(sender, Sender::Contact(_));
        let refused = || Refusal::Field("files", "has an empty file; leave it out".to_owned());
        return if is_left_out { Ok(None) } else { Err(refused()) };
    }
    let upload = match upload {
        Some(upload) => upload,
        None => begin(casework, sender, &name, &beginning).await?,
    };
    let request = upload.request();
    let file = upload.finish(&name, &media_type).await.map_err(Refusal::Casework)?;
    if matches!(sender, Sender::Contact(_)) && file_kinds::is_zip(&beginning) {
        let reader = casework.open_upload(request, &file).await.map_err(Refusal::Casework)?;
        let looked = tokio::task::spawn_blocking(move || file_kinds::refuse_bomb(reader)).await;
        if let Some(why) = looked.unwrap_or(Some(file_kinds::UNREADABLE_ARCHIVE)) {
            casework.discard_files([file]).await;
            return Err(Refusal::Field("files", why.to_owned()));
        }
    }
    Ok(Some(file))
}

/// Begins to take a file in, once its first bytes show what it is.
async fn begin(
    casework: &Casework,
    sender: &Sender<'_>,
    name: &str,
    beginning: &[u8],
) -> Result<Upload, Refusal> {
    let upload = match sender {
        Sender::Contact(token) => {
            if let Some(why) = file_kinds::refuse(name, beginning) {
                return Err(Refusal::Field("files", why));
            }
            casework.begin_upload_by_link(token).await
        }
        Sender::Caller(actor, request) => casework.begin_upload(actor, *request).await,
    };
    let mut upload = upload.map_err(Refusal::Casework)?;
    upload.write(beginning).await.map_err(Refusal::Casework)?;
    Ok(upload)
}

fn unreadable(error: &MultipartError) -> Refusal {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Refusal::TooLarge(
            "the form is larger than one answer takes; send fewer or smaller files".to_owned(),
        );
    }
    Refusal::Malformed
}
