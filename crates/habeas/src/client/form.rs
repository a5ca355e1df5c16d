//! A form with files (RFC 7578), as bytes: every way to the API takes the same.

use habeas_environment::Environment;

use super::Body;

/// One part of a form.
pub(crate) struct FormPart {
    name: &'static str,
    file_name: Option<String>,
    bytes: Vec<u8>,
}

/// Shows no content.
impl std::fmt::Debug for FormPart {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "FormPart({}, {} bytes)", self.name, self.bytes.len())
    }
}

impl FormPart {
    /// A text.
    pub(crate) fn text(name: &'static str, text: &str) -> Self {
        Self { name, file_name: None, bytes: text.as_bytes().to_vec() }
    }

    /// A file.
    pub(crate) fn file(name: &'static str, file_name: &str, bytes: Vec<u8>) -> Self {
        Self { name, file_name: Some(file_name.to_owned()), bytes }
    }
}

pub(super) fn encode(parts: Vec<FormPart>) -> Body {
    // No file holds a number that was just drawn.
    let boundary = format!("habeas-{}", Environment::system().unique().simple());
    let mut bytes = Vec::new();
    for part in parts {
        let mut head = format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"", part.name);
        if let Some(file_name) = &part.file_name {
            head.push_str(&format!("; filename=\"{}\"", quoted(file_name)));
            head.push_str("\r\nContent-Type: application/octet-stream");
        }
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(&part.bytes);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Body { media_type: format!("multipart/form-data; boundary={boundary}"), bytes: bytes.into() }
}

/// What would end the name or the line is written as browsers write it.
fn quoted(file_name: &str) -> String {
    file_name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_end_its_line_and_bytes_stay_as_they_are() {
        let body = encode(vec![
            FormPart::text("answer", "data"),
            FormPart::file("files", "a\"\r\nX: y.bin", vec![0, 13, 10, 255]),
        ]);
        let text = String::from_utf8_lossy(&body.bytes);
        assert!(text.contains("name=\"answer\"\r\n\r\ndata\r\n--habeas-"));
        assert!(
            text.contains(
                "filename=\"a%22%0D%0AX: y.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n"
            )
        );
        assert!(body.bytes.windows(6).any(|window| window == [0, 13, 10, 255, 13, 10]));
    }
}
