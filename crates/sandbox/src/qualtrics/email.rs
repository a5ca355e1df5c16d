//! How emails are compared and checked.

/// Without outer white space and in lower case: emails that agree in this are the same.
pub(super) fn fold(email: &str) -> String {
    email.trim().to_lowercase()
}

/// Own choice: something on both sides of one `@`, and no white space.
pub(super) fn is_plausible(email: &str) -> bool {
    let email = email.trim();
    !email.contains(char::is_whitespace)
        && email
            .split_once('@')
            .is_some_and(|(local, host)| !local.is_empty() && !host.is_empty() && !host.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plausible_emails() {
        for email in [" Ana.Silva@example.test ", "jo+shop@example.test", "a@b"] {
            assert!(is_plausible(email), "{email}");
        }
        for email in ["", "@", "a@", "@b", "ana silva@example.test", "a@b@c", "ana"] {
            assert!(!is_plausible(email), "{email}");
        }
        assert_eq!(fold(" ANA@Example.test"), "ana@example.test");
    }
}
