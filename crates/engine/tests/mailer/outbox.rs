//! Mails as files.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use futures::future::join_all;
use habeas_engine::mailer::{Handed, Mailer, mailer};
use rstest::rstest;

use crate::support::{LINK, environment, id, mail, refused, settings};

fn outbox(data: &Path) -> Arc<dyn Mailer> {
    mailer(&settings("outbox"), data, &environment()).unwrap()
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_mail_is_a_file_of_its_own_and_nobody_else_can_read_it() {
    let data = tempfile::tempdir().unwrap();
    let mailer = outbox(data.path());
    assert!(!mailer.delivers());
    assert!(!data.path().join("outbox").exists(), "made with the first mail");
    assert_eq!(mailer.send(&mail(1, "ada@example.test")).await, Ok(Handed::Written));

    let directory = data.path().join("outbox");
    let file = directory.join(format!("{}.eml", id(1)));
    assert_eq!((mode(&directory), mode(&file)), (0o700, 0o600));
    let message = std::fs::read_to_string(&file).unwrap();
    assert!(message.contains("To: ada@example.test\r\n"));
    assert!(
        message.lines().any(|line| line == LINK),
        "the link stands whole on a line of its own: {message}"
    );
    assert!(message.contains(&format!("Message-ID: <{}@habeas.example.test>\r\n", id(1))));
}

#[tokio::test]
async fn a_repeated_mail_is_the_same_file() {
    let data = tempfile::tempdir().unwrap();
    let directory = data.path().join("outbox");
    let mails: Vec<_> = (0..20).map(|number| mail(number % 4, "ada@example.test")).collect();
    let mailer = outbox(data.path());
    let written = join_all(mails.iter().map(|mail| mailer.send(mail))).await;
    assert!(written.iter().all(|handed| *handed == Ok(Handed::Written)));
    let expected: Vec<_> = (0..4).map(|number| format!("{}.eml", id(number))).collect();
    assert_eq!(names(&directory), expected, "no drafts are left");
    let file = directory.join(&expected[0]);
    let before = std::fs::read(&file).unwrap();
    outbox(data.path()).send(&mails[0]).await.unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

#[tokio::test]
async fn an_outbox_that_cannot_be_written_is_passing() {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("outbox"), "a file").unwrap();
    let failure = refused(&outbox(data.path()), &mail(1, "ada@example.test")).await;
    assert_eq!((failure.lasting, failure.code), (false, "mail_outbox_unwritable"));
    assert!(failure.message.contains("`outbox`"), "{failure}");
}

#[rstest]
#[case::sender("nobody", None, "sender")]
#[case::line_break("A\nBcc: eve@example.test <a@example.test>", None, "sender")]
#[case::answers("a@example.test", Some("b@"), "answers")]
fn whose_name_cannot_be_written_is_refused_at_once(
    #[case] from: &str,
    #[case] reply_to: Option<&str>,
    #[case] said: &str,
) {
    for url in ["outbox", "smtp://127.0.0.1:1"] {
        let mut settings = settings(url);
        from.clone_into(&mut settings.from);
        settings.reply_to = reply_to.map(str::to_owned);
        let error = mailer(&settings, Path::new("/nowhere"), &environment()).unwrap_err().to_string();
        assert!(error.contains(said) && !error.contains("eve"), "{error}");
    }
}

#[tokio::test]
async fn copies_and_drafts_of_a_mail_are_removed_and_what_is_not_ours_stays() {
    let data = tempfile::tempdir().unwrap();
    let mailer = outbox(data.path());
    assert!(mailer.copies().await.unwrap().is_empty(), "there is no directory yet");
    for number in 1..=3 {
        mailer.send(&mail(number, "ada@example.test")).await.unwrap();
    }
    let directory = data.path().join("outbox");
    // Left by a process that was killed.
    std::fs::write(directory.join(format!(".{}-0123", id(4))), "a part of a mail").unwrap();
    std::fs::write(directory.join("notes.eml"), "somebody else's").unwrap();
    assert_eq!(mailer.copies().await.unwrap(), [id(1), id(2), id(3), id(4)].into());
    mailer.remove_copies([id(1), id(3), id(4), id(5)].into()).await.unwrap();
    assert_eq!(names(&directory), [format!("{}.eml", id(2)), "notes.eml".to_owned()]);
}
