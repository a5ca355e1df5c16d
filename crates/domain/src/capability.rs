//! What a connection may be used for, and how its vendor works.

use crate::vocabulary::vocabulary;

vocabulary! {
    /// What a connection may be used for.
    Capability("capability") {
        /// Collecting what is held about a subject.
        Access = "access",
        /// Deleting it.
        Deletion = "deletion",
        /// Finding other systems.
        SystemDetection = "system_detection",
    }
}

vocabulary! {
    /// Who serves a capability of a connection.
    Handling("handling") {
        /// The product, over the vendor's API.
        Api = "api",
        /// A person at the system's owner.
        DirectContact = "direct_contact",
        /// Nobody: the connection has no part.
        Off = "off",
    }
}

vocabulary! {
    /// How a system answers an access request.
    AccessType("access type") {
        /// In the call itself.
        Synchronous = "synchronous",
        /// A job: submit, poll, fetch.
        Asynchronous = "asynchronous",
        /// A person answers.
        DirectContact = "direct_contact",
    }
}

vocabulary! {
    /// Whether a deletion is done when the call returns.
    DeletionTiming("deletion timing") {
        /// Done in the call.
        Synchronous = "synchronous",
        /// Accepted now, done later.
        Asynchronous = "asynchronous",
        /// A person deletes and says so.
        DirectContact = "direct_contact",
    }
}

vocabulary! {
    /// What one deletion removes.
    DeletionMethod("deletion method") {
        /// The records the reviewer selected.
        Standard = "standard",
        /// Everything about the subject.
        WholeRecord = "whole_record",
    }
}

vocabulary! {
    /// When an asynchronous deletion counts as complete.
    DeletionCompletion("deletion completion") {
        /// When the vendor has accepted it.
        OnSubmit = "on_submit",
        /// When the vendor says that it is done.
        OnCompletion = "on_completion",
    }
}
