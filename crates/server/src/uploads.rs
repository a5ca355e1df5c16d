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
use habeas_integrations::FoundFile;

use crate::archives;
use crate::file_kinds;
use crate::state::UploadLimits;

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

impl Sender<'_> {
    const fn is_contact(&self) -> bool {
        matches!(self, Self::Contact(_))
    }

    /// Bytes of a text part at most. Callers may send records as text.
    const fn longest_text(&self) -> usize {
        if self.is_contact() { 64 << 10 } else { 1 << 20 }
    }
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
    /// One of its files cannot be used: its name, for the one who sent it, and why.
    File(String, String),
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
    let mut refused: Option<Refusal> = None;
    // A browser shows no answer before it has sent the whole form, and what was typed stands behind the files: a person's
    // form is read to its end, whatever is wrong with a file.
    let mut passed_over = limits.answer;
    while let Some(mut part) = multipart.next_field().await.map_err(|error| unreadable(&error))? {
        let name = part.name().unwrap_or_default().to_owned();
        if name != "files" && part.file_name().is_none() {
            let text = read_text(&mut part, sender.longest_text()).await?;
            keep_text(form, sender, name, text)?;
            continue;
        }
        if refused.is_none() {
            let read = read_file(&mut part, casework, sender, limits, total).await;
            match read.and_then(|file| keep_file(form, &mut total, file)) {
                Ok(()) => continue,
                Err(refusal @ (Refusal::Field(..) | Refusal::File(..) | Refusal::TooLarge(_)))
                    if sender.is_contact() =>
                {
                    refused = Some(refusal);
                }
                Err(refusal) => return Err(refusal),
            }
        }
        if !pass_over(&mut part, &mut passed_over).await? {
            break;
        }
    }
    refused.map_or(Ok(()), Err)
}

fn keep_text(form: &mut Form, sender: &Sender<'_>, name: String, text: String) -> Result<(), Refusal> {
    let is_usable = form.texts.len() < MOST_TEXTS && !form.texts.contains_key(&name);
    if is_usable {
        form.texts.insert(name, text);
        return Ok(());
    }
    // A person has not written the form, and cannot mend what their browser adds to it.
    if sender.is_contact() {
        return Ok(());
    }
    let why = "has a part twice, or too many of them; only `files` may be repeated";
    Err(Refusal::Field("", why.to_owned()))
}

fn keep_file(form: &mut Form, total: &mut u64, file: Option<StoredFile>) -> Result<(), Refusal> {
    // A browser sends an empty part where nobody chose a file.
    let Some(file) = file else { return Ok(()) };
    *total += file.size();
    form.files.push(file);
    if form.files.len() > MOST_FILES {
        let why = format!("has more than {MOST_FILES} files; put them into an archive");
        return Err(Refusal::Field("files", why));
    }
    Ok(())
}

async fn read_text(part: &mut Field<'_>, longest: usize) -> Result<String, Refusal> {
    let mut bytes = Vec::new();
    while let Some(piece) = part.chunk().await.map_err(|error| unreadable(&error))? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > longest {
            let why = format!("a text is longer than {}; send it as a file", words::size(longest as u64));
            return Err(Refusal::TooLarge(why));
        }
    }
    String::from_utf8(bytes).map_err(|_| Refusal::Malformed)
}

/// Reads what is left of a part without keeping it; `false` if that is more than anybody should send.
async fn pass_over(part: &mut Field<'_>, left: &mut u64) -> Result<bool, Refusal> {
    while let Some(piece) = part.chunk().await.map_err(|error| unreadable(&error))? {
        *left = left.saturating_sub(piece.len() as u64);
        if *left == 0 {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn read_file(
    part: &mut Field<'_>,
    casework: &Casework,
    sender: &Sender<'_>,
    limits: UploadLimits,
    before: u64,
) -> Result<Option<StoredFile>, Refusal> {
    let given = part.file_name().unwrap_or_default().to_owned();
    let media_type = part.content_type().unwrap_or_default().to_owned();
    // The name as it will be kept: what it ends with is what people will open it with.
    let name = FoundFile::new(&given, &media_type, Vec::new()).name;
    let mut upload: Option<Upload> = None;
    let (mut beginning, mut size) = (Vec::new(), 0_u64);
    while let Some(piece) = part.chunk().await.map_err(|error| unreadable(&error))? {
        size += piece.len() as u64;
        if size > limits.file {
            let why = format!("a file is larger than {}; send it in parts", words::size(limits.file));
            return Err(Refusal::TooLarge(why));
        }
        if before + size > limits.answer {
            let why = "the files together are larger than";
            let why = format!("{why} {}; send fewer or smaller ones", words::size(limits.answer));
            return Err(Refusal::TooLarge(why));
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
        return match sender {
            _ if given.is_empty() => Ok(None),
            Sender::Contact(_) => {
                Err(Refusal::File(name, "is empty; leave it out, or look where its content went".to_owned()))
            }
            Sender::Caller(..) => Err(Refusal::Field("files", "has an empty file; leave it out".to_owned())),
        };
    }
    let upload = match upload {
        Some(upload) => upload,
        None => begin(casework, sender, &name, &beginning).await?,
    };
    let request = upload.request();
    let file = upload.finish(&name, &media_type).await.map_err(Refusal::Casework)?;
    if sender.is_contact() && archives::is_zip(&beginning) {
        let reader = casework.open_upload(request, &file).await.map_err(Refusal::Casework)?;
        let looked = tokio::task::spawn_blocking(move || archives::refuse_bomb(reader)).await;
        if let Some(why) = looked.unwrap_or(Some(archives::UNREADABLE)) {
            casework.discard_files([file]).await;
            return Err(Refusal::File(name, why.to_owned()));
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
                return Err(Refusal::File(name.to_owned(), why));
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
