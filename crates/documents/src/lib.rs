//! What people receive: the package, the certificate and the mails, rendered from plain values.
